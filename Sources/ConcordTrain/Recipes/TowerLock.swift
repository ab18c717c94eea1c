/// How much of a tower keeps its weights.
public enum TowerLock: Sendable, Hashable, CustomStringConvertible {
    case none
    /// The whole tower, with its last norm, its pooling and its projection.
    case all
    /// The embeddings and so many blocks, counted from the input.
    case blocks(Int)

    /// Reads `none`, `all` or a number; nil for anything else.
    public init?(_ text: String) {
        switch text {
        case "none": self = .none
        case "all": self = .all
        default:
            guard let count = Int(text), count >= 0 else { return nil }
            self = .blocks(count)
        }
    }

    public var description: String {
        switch self {
        case .none: "none"
        case .all: "all"
        case .blocks(let count): String(count)
        }
    }

    /// Whether a parameter at that place keeps its value.
    func holds(_ part: Tower.Part) -> Bool {
        switch (self, part) {
        case (.none, _): false
        case (.all, _), (.blocks, .embeddings): true
        case (.blocks(let count), .block(let index)): index < count
        case (.blocks, .head): false
        }
    }
}
