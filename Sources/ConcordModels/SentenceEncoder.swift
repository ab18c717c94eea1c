import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// A text tower of its own, as sentence-transformers keeps them: token ids → unit vectors.
///
/// Parameter names are those of transformers' `BertModel`.
public struct SentenceEncoder: TextEncoder {
    public let configuration: BERTConfiguration
    public let store: ParameterStore
    private let bert: BERT

    public init(_ configuration: BERTConfiguration, store: ParameterStore) {
        self.configuration = configuration
        self.store = store
        bert = BERT(ParameterScope(store), configuration)
    }

    /// Reads the weights of a model folder.
    ///
    /// - Parameter dtype: nil keeps the checkpoint's.
    /// - Throws: `.invalidConfiguration` or `.invalidCheckpoint`, the latter naming every key that does not fit.
    public static func load(
        _ folder: String, dtype: DType? = .float32, device: Device = .cpu
    ) throws -> SentenceEncoder {
        let folder = try ModelFolder(folder)
        guard case .sentenceEncoder(let configuration) = folder.architecture else {
            throw ConcordError(
                .invalidConfiguration,
                "\(folder.path) holds \(folder.text == nil ? "no text tower" : "another kind of model, such as two towers")"
                    + "; name a folder with a sentence encoder")
        }
        let model = SentenceEncoder(configuration, store: try folder.makeStore(dtype: dtype, device: device))
        try model.store.finishLoading()
        return model
    }

    /// Unit vectors of token ids: `[batch, tokens] → [batch, width]`.
    public func embedTexts(_ ids: Tensor, lengths: Tensor? = nil) -> Tensor { bert(ids, lengths: lengths).normalized() }

    public var textConfiguration: TextTowerConfiguration { .bert(configuration) }
    public var embeddingWidth: Int { configuration.width }
}
