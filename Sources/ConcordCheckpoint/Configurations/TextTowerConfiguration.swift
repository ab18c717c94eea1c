/// A text tower: CLIP's own transformer, or one of the BERT family.
public enum TextTowerConfiguration: Sendable, Hashable {
    case transformer(TextTransformerConfiguration)
    case bert(BERTConfiguration)

    public var vocabularySize: Int {
        switch self {
        case .transformer(let text): text.vocabularySize
        case .bert(let text): text.vocabularySize
        }
    }

    public var width: Int {
        switch self {
        case .transformer(let text): text.width
        case .bert(let text): text.width
        }
    }

    /// Tokens of the longest text, special tokens included.
    public var contextLength: Int {
        switch self {
        case .transformer(let text): text.contextLength
        case .bert(let text): text.contextLength
        }
    }

    /// Whether every row of a batch must fill the context, because the tower reads padding.
    public var readsPadding: Bool {
        switch self {
        case .transformer(let text): text.readsPadding
        case .bert: false
        }
    }

    /// Whether something maps the pooled vector to the embedding; otherwise the widths are equal.
    public var hasProjection: Bool {
        switch self {
        case .transformer(let text): text.projection != .none
        case .bert(let text): text.projection != .none
        }
    }
}
