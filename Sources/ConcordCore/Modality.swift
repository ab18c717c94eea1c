/// A kind of input, such as images or texts: an open set of names.
///
/// ```swift
/// let depth: Modality = "depth"
/// ```
public struct Modality: Sendable, Hashable, Comparable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The name in recipes, metrics and messages.
    public let name: String

    public init(_ name: String) { self.name = name }
    public init(stringLiteral name: String) { self.name = name }

    public static let image: Modality = "image"
    public static let text: Modality = "text"
    public static let audio: Modality = "audio"

    public static func < (first: Modality, second: Modality) -> Bool { first.name < second.name }
    public var description: String { name }
}
