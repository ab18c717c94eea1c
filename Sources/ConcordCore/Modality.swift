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

extension Modality {
    /// What a model makes of all modalities that a row has.
    public static let fused: Modality = "fused"
    /// What a query should find: made of the modalities that ``target(_:)`` names.
    public static let target: Modality = "target"

    /// A modality of what a query should find: `target image` beside the query's `image`.
    public static func target(_ modality: Modality) -> Modality { Modality("target \(modality)") }

    /// Whether it is one of those that ``target(_:)`` names.
    package var isTarget: Bool { name.hasPrefix("target ") }

    /// What a model makes of some modalities of the rows that have them all: `image+text`.
    public static func joined(_ modalities: [Modality]) -> Modality {
        Modality(modalities.sorted().map(\.name).joined(separator: "+"))
    }

    /// Whether the name can be a key of files and stands for none of the above.
    package var isPlainName: Bool {
        guard self != .fused, self != .target, let first = name.utf8.first else { return false }
        let letters = UInt8(ascii: "a")...UInt8(ascii: "z"), digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        return letters.contains(first)
            && name.utf8.allSatisfy { letters.contains($0) || digits.contains($0) || $0 == UInt8(ascii: "_") }
    }
}
