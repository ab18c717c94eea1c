import ConcordCore

/// All differences between the tensors of a checkpoint and those that a model expects.
public struct KeyReport: Sendable, Hashable {
    /// A tensor by name and shape.
    public struct Key: Sendable, Hashable {
        public let name: String
        public let shape: [Int]
        public init(_ name: String, _ shape: [Int]) {
            self.name = name
            self.shape = shape
        }
    }

    /// A tensor that is there with another shape.
    package struct Mismatch: Sendable, Hashable {
        package let name: String
        package let expected: [Int]
        package let found: [Int]
    }

    /// Expected, but not in the checkpoint; in the order expected.
    public let missing: [Key]
    /// In the checkpoint, but not expected; in the order found.
    public let unexpected: [Key]
    /// In both, with different shapes.
    package let mismatched: [Mismatch]
    /// In the checkpoint, not expected, and allowed to be there.
    package let ignored: [Key]

    /// What checkpoints hold besides the weights of a model: buffers that older versions of transformers and open_clip
    /// saved, the sizes in OpenAI's own files, and the heads of a BERT that was trained as a language model.
    package static let ignorable: [NamePattern] = [
        "*.position_ids", "attn_mask", "*.attn_mask", "input_resolution", "context_length", "vocab_size", "cls.*",
        "lm_head.*", "*.cls.predictions.*", "*.cls.seq_relationship.*", "*.lm_head.*",
    ]

    /// Compares names by their bytes, and shapes.
    ///
    /// - Parameter ignoring: patterns of names that may be in the checkpoint without being expected.
    package init(expected: [Key], found: [Key], ignoring patterns: [NamePattern] = ignorable) {
        func bytes(_ key: Key) -> [UInt8] { Array(key.name.utf8) }
        let foundShapes = Dictionary(found.map { (bytes($0), $0.shape) }) { first, _ in first }
        let expectedNames = Set(expected.map(bytes))
        missing = expected.filter { foundShapes[bytes($0)] == nil }
        mismatched = expected.compactMap { key in
            guard let shape = foundShapes[bytes(key)], shape != key.shape else { return nil }
            return Mismatch(name: key.name, expected: key.shape, found: shape)
        }
        let extra = found.filter { !expectedNames.contains(bytes($0)) }
        ignored = extra.filter { key in patterns.contains { $0.matches(key.name) } }
        unexpected = extra.filter { key in !patterns.contains { $0.matches(key.name) } }
    }

    /// Whether the checkpoint has exactly the expected tensors, apart from ignorable ones.
    public var isExact: Bool { missing.isEmpty && unexpected.isEmpty && mismatched.isEmpty }

    /// The unexpected tensor that a missing one was probably meant to be: the same shape and a name that is near.
    public func suggestion(for key: Key) -> String? {
        let candidates = unexpected.lazy.filter { $0.shape == key.shape }.map(\.name)
        return NearestName.suggestion(for: key.name, among: candidates)
    }

    /// Throws one `.invalidCheckpoint` that lists every difference, at most `limit` lines of each kind.
    package func throwIfAny(_ path: String, limit: Int = 40) throws(ConcordError) {
        guard !isExact else { return }
        let counts = [(missing.count, "missing"), (unexpected.count, "unexpected"), (mismatched.count, "mismatched")]
        let summary = counts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
        var lines = ["the tensors of \(path) do not fit the model: \(summary)"]
        func list<Item>(_ title: String, _ items: [Item], _ line: (Item) -> String) {
            guard !items.isEmpty else { return }
            lines.append("\(title):")
            lines += items.prefix(limit).map { "  " + line($0) }
            if items.count > limit { lines.append("  … and \(items.count - limit) more") }
        }
        list("missing", missing) { key in
            "\(key.name) \(key.shape)" + (suggestion(for: key).map { " (did the file mean it by `\($0)`?)" } ?? "")
        }
        list("unexpected", unexpected) { "\($0.name) \($0.shape)" }
        list("mismatched", mismatched) { "\($0.name): the model has \($0.expected), the file \($0.found)" }
        lines.append("check that the configuration belongs to these weights")
        throw ConcordError(.invalidCheckpoint, lines.joined(separator: "\n"))
    }
}

/// A pattern for parameter names in which `*` stands for any run of characters, dots included.
public struct NamePattern: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
    private let pattern: [UInt8]

    public init(_ pattern: String) { self.pattern = Array(pattern.utf8) }
    public init(stringLiteral value: String) { self.init(value) }

    public var description: String { String(decoding: pattern, as: UTF8.self) }

    /// Whether all of `name` matches the pattern.
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
