/// Two modalities, in either order.
public struct ModalityPair: Hashable, Sendable, CustomStringConvertible {
    /// The names, in alphabetical order.
    public let first, second: String

    public init(_ one: String, _ other: String) {
        first = min(one, other)
        second = max(one, other)
    }

    public var description: String { "\(first)–\(second)" }
}
