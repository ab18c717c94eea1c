import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// The text tower of a CLIP or SigLIP alone: token ids → unit vectors.
///
/// Follows `CLIPTextModel`, `CLIPTextModelWithProjection` and `SiglipTextModel` of transformers 5.23; parameter names
/// are those of `CLIPModel`.
public struct SingleTextTower: TextEncoder {
    public let configuration: TextTransformerConfiguration
    public let embeddingWidth: Int
    public let store: ParameterStore
    private let text: TextTransformer
    private let projection: TextProjection

    /// - Parameter width: of the vectors; that of the tower where nothing projects them.
    public init(_ configuration: TextTransformerConfiguration, width: Int, store: ParameterStore) {
        self.configuration = configuration
        self.store = store
        embeddingWidth = width
        let scope = ParameterScope(store)
        text = TextTransformer(scope / "text_model", configuration)
        projection = TextProjection(scope / "text_projection", .transformer(configuration), width)
    }

    /// Reads the weights of a model folder.
    ///
    /// - Parameter dtype: nil keeps the checkpoint's.
    /// - Throws: `.invalidConfiguration` or `.invalidCheckpoint`, the latter naming every key that does not fit.
    public static func load(
        _ folder: String, dtype: DType? = .float32, device: Device = .cpu
    ) throws -> SingleTextTower {
        let folder = try ModelFolder(folder)
        guard case .textTower(let configuration, let width) = folder.architecture else {
            throw ConcordError(
                .invalidConfiguration, "\(folder.path) does not hold the text tower of a CLIP or SigLIP alone")
        }
        let model = SingleTextTower(
            configuration, width: width, store: try folder.makeStore(dtype: dtype, device: device))
        try model.store.finishLoading()
        return model
    }

    /// Unit vectors of token ids: `[batch, tokens] → [batch, embeddingWidth]`.
    ///
    /// - Parameter lengths: not needed: what stands behind the end of a text does not count, or fills the context.
    public func embedTexts(_ ids: Tensor, lengths: Tensor? = nil) -> Tensor { projection(text(ids)).normalized() }

    public var textConfiguration: TextTowerConfiguration { .transformer(configuration) }
}
