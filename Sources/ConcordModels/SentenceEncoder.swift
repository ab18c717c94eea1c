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

    /// Unit vectors of token ids: `[batch, tokens] → [batch, width]`.
    public func embedTexts(_ ids: Tensor, lengths: Tensor? = nil) -> Tensor { bert(ids, lengths: lengths).normalized() }

    public var textConfiguration: TextTowerConfiguration { .bert(configuration) }
    public var architecture: ModelFolder.Architecture? { .sentenceEncoder(configuration) }
    public var embeddingWidth: Int { configuration.width }
}
