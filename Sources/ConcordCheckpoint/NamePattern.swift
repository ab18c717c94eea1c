/// A pattern for parameter names in which `*` stands for any run of characters, dots included.
public struct NamePattern: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
    private let pattern: [UInt8]

    public init(_ pattern: String) { self.pattern = Array(pattern.utf8) }
    public init(stringLiteral value: String) { self.init(value) }

    public var description: String { String(decoding: pattern, as: UTF8.self) }

    /// Whether the whole of `name` fits the pattern.
    public func matches(_ name: String) -> Bool {
        let name = Array(name.utf8)
        let star = UInt8(ascii: "*")
        var patternIndex = 0, nameIndex = 0
        // Where to go back to: the last star seen, and how much of the name it has taken.
        var retry: (pattern: Int, name: Int)?
        while nameIndex < name.count {
            if patternIndex < pattern.count, pattern[patternIndex] == star {
                retry = (patternIndex + 1, nameIndex)
                patternIndex += 1
            } else if patternIndex < pattern.count, pattern[patternIndex] == name[nameIndex] {
                patternIndex += 1
                nameIndex += 1
            } else if let (afterStar, taken) = retry {
                retry = (afterStar, taken + 1)
                patternIndex = afterStar
                nameIndex = taken + 1
            } else {
                return false
            }
        }
        return pattern[patternIndex...].allSatisfy { $0 == star }
    }
}
