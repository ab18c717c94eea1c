import ConcordCheckpoint
import ConcordCore
import ConcordLosses
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Testing

/// A CoCa as open_clip saved it, and what open_clip computes with it; `scripts/golden/make_coca.py` made both.
struct CoCaGolden {
    typealias Mask = TextTransformerConfiguration.ClassTokenMask

    /// With a pooler of another width than the patches', of the same width, and without one.
    static let names = ["coca", "coca-same-width", "coca-patches"]
    /// Folders and masks whose gradients are stored.
    static let withGradients: [(String, Mask)] = [
        ("coca", .legacy), ("coca", .correct), ("coca-same-width", .legacy), ("coca-patches", .legacy),
    ]

    let name: String
    let folder: ModelFolder
    let configuration: CoCaConfiguration
    let outputs: [String: Golden.Tensor]
    /// `[3, 8]`, padded to the context; the last row fills it.
    let ids: Tensor

    init(_ name: String) throws {
        self.name = name
        folder = try ModelFolder(GoldenFolder.path(name))
        guard case .coca(let configuration) = folder.architecture else {
            throw ConcordError(.invalidConfiguration, "\(name) holds no CoCa")
        }
        self.configuration = configuration
        let outputs = try Golden.tensors("models", "folders/\(name)/outputs.safetensors")
        let ids = try #require(outputs["ids"])
        self.outputs = outputs
        self.ids = Tensor(ids.integers, shape: ids.shape)
    }

    var reader: CheckpointReader { get throws { try CheckpointReader(path: folder.weights) } }

    /// The model with either mask, read from the folder's weights or from a file that holds the same tensors.
    func model(_ dtype: DType?, mask: Mask = .legacy, from file: String? = nil) throws -> CoCa {
        var configuration = configuration
        configuration.text.classTokenMask = mask
        let source = ParameterSource(try CheckpointReader(path: file ?? folder.weights), layout: folder.layout)
        let model = CoCa(configuration, store: ParameterStore(sources: [source], dtype: dtype))
        try model.store.finishLoading()
        return model
    }

    func pixels(_ dtype: DType) -> Tensor {
        Tensor(FormulaWeights.formula("pixels", count: 9 * 4 * 4), shape: [3, 3, 4, 4]).to(dtype)
    }

    func expect(
        _ key: String, _ tensor: Tensor, absolute: Double, relative: Double = 0,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let golden = try #require(outputs[key], sourceLocation: sourceLocation)
        #expect(tensor.shape == golden.shape, sourceLocation: sourceLocation)
        expectClose(
            tensor.scalars(as: Double.self), golden.values, absolute: absolute, relative: relative, "\(name): \(key)",
            sourceLocation: sourceLocation)
    }

    static func loss(
        _ model: CoCa, _ output: CaptioningOutput, plan: ScorePlan = .dense
    ) throws -> CoCaLoss.Value {
        try CoCaLoss(contrastive: InfoNCE(logitScale: model.logitScale))(
            images: output.images, texts: output.texts, states: output.states, head: model.languageHead,
            captions: output.labels, plan: plan)
    }
}
