import ConcordCheckpoint
import ConcordNN
import ConcordTensor

/// A text tower of either kind: token ids `[batch, tokens]` → `[batch, width]`.
public enum TextTower {
    case transformer(TextTransformer)
    case bert(BERT)

    init(_ scope: ParameterScope, _ configuration: TextTowerConfiguration) {
        switch configuration {
        case .transformer(let text): self = .transformer(TextTransformer(scope, text))
        case .bert(let text): self = .bert(BERT(scope, text))
        }
    }

    /// - Parameter lengths: how many ids of each row are the text's, int64 `[batch]`; nil when all are. Only BERT asks.
    public func callAsFunction(_ ids: Tensor, lengths: Tensor? = nil) -> Tensor {
        switch self {
        case .transformer(let tower): tower(ids)
        case .bert(let tower): tower(ids, lengths: lengths)
        }
    }
}
