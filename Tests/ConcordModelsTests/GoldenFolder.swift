import ConcordCheckpoint
import ConcordCore
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Testing

/// A model folder as a peer saved it, and what the peer computes with it; `scripts/golden/make_folders.py` made both.
struct GoldenFolder {
    static let dualEncoders = [
        "huggingface-clip", "huggingface-clip-gelu", "open-clip", "open-clip-quickgelu-custom-text", "open-clip-clipa",
        "open-clip-average", "open-clip-eos", "open-clip-tokens", "siglip", "open-clip-siglip", "open-clip-bert",
        "vision-text-dual-encoder",
    ]
    static let sentenceEncoders = ["bert-mean", "bert-cls", "roberta-mean"]
    /// Those with the peer's gradients.
    static let withGradients = ["siglip", "open-clip-bert"]

    let name: String
    let folder: ModelFolder
    let layout: CheckpointLayout
    let weights: String
    let outputs: [String: Golden.Tensor]
    let ids, lengths: Tensor

    init(_ name: String) throws {
        self.name = name
        let path = Self.path(name)
        if name == "open-clip-siglip" {
            // Its configuration names a tower of timm in sizes that only the script knows: those of `siglip`.
            folder = try ModelFolder(Self.path("siglip"))
            layout = try .openCLIP(Self.configuration(of: folder))
            weights = path + "/open_clip_model.safetensors"
        } else {
            folder = try ModelFolder(path)
            layout = folder.layout
            weights = folder.weights
        }
        let outputs = try Golden.tensors("models", "folders/\(name)/outputs.safetensors")
        let ids = try #require(outputs["ids"]), lengths = try #require(outputs["lengths"])
        self.outputs = outputs
        self.ids = Tensor(ids.integers, shape: ids.shape)
        self.lengths = Tensor(lengths.integers, shape: lengths.shape)
    }

    static func path(_ name: String) -> String { Golden.folder("models") + "/folders/" + name }

    static func configuration(of folder: ModelFolder) throws -> DualEncoderConfiguration {
        guard case .dualEncoder(let configuration) = folder.architecture else {
            throw ConcordError(.invalidConfiguration, "\(folder.path) holds no dual encoder")
        }
        return configuration
    }

    var configuration: DualEncoderConfiguration { get throws { try Self.configuration(of: folder) } }
    var reader: CheckpointReader { get throws { try CheckpointReader(path: weights) } }

    /// The model, read from the folder's own weights or from a file that holds the same tensors.
    func dualEncoder(
        dtype: DType? = .float32, from file: String? = nil, layout: CheckpointLayout? = nil
    ) throws -> DualEncoder {
        try Self.dualEncoder(configuration, from: file ?? weights, layout: layout ?? self.layout, dtype: dtype)
    }

    static func dualEncoder(
        _ configuration: DualEncoderConfiguration, from file: String, layout: CheckpointLayout,
        dtype: DType? = .float32
    ) throws -> DualEncoder {
        let source = ParameterSource(try CheckpointReader(path: file), layout: layout)
        let model = DualEncoder(configuration, store: ParameterStore(sources: [source], dtype: dtype))
        try model.store.finishLoading()
        return model
    }

    /// The store of the folder's model, of whichever kind.
    func store(dtype: DType?) throws -> ParameterStore {
        switch folder.architecture {
        case .dualEncoder: try dualEncoder(dtype: dtype).store
        case .sentenceEncoder: try SentenceEncoder.load(folder.path, dtype: dtype).store
        case .tripleEncoder: try TripleEncoder.load(folder.path, dtype: dtype).store
        case .coca: try CoCa.load(folder.path, dtype: dtype).store
        case .textTower: try SingleTextTower.load(folder.path, dtype: dtype).store
        case .imageTower: try SingleImageTower.load(folder.path, dtype: dtype).store
        case .clap: try CLAP.load(folder.path, dtype: dtype).store
        case .whisperEncoder: try WhisperEncoder.load(folder.path, dtype: dtype).store
        case .ast: try AudioSpectrogramTransformer.load(folder.path, dtype: dtype).store
        case .fused: try FusedModel.load(folder.path, dtype: dtype).store
        }
    }

    func pixels(_ dtype: DType, size: Int = 16) -> Tensor {
        Tensor(FormulaWeights.formula("pixels", count: 9 * size * size), shape: [3, 3, size, size]).to(dtype)
    }

    /// Expects the peer's values, to within the tolerance of parity for the dtype.
    func expect(_ key: String, _ tensor: Tensor, _ dtype: DType, sourceLocation: SourceLocation = #_sourceLocation)
        throws
    {
        let golden = try #require(outputs["\(key).\(dtype)"], sourceLocation: sourceLocation)
        let tolerance = CLIPParityTests.Tolerance.of(dtype)
        #expect(tensor.shape == golden.shape, sourceLocation: sourceLocation)
        expectClose(
            tensor.scalars(as: Double.self), golden.values,
            absolute: key == "logits" ? tolerance.logit : tolerance.embedding, "\(name): \(key)",
            sourceLocation: sourceLocation)
    }
}
