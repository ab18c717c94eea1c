/// A pattern over checkpoint names, in which `*` stands for any run of characters.
public struct NamePattern: Sendable {
    private let pieces: [[UInt8]]

    public init(_ pattern: String) {
        pieces = pattern.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false).map(Array.init)
    }

    /// Whether the whole of `name` matches.
    public func matches(_ name: String) -> Bool {
        var rest = Array(name.utf8)[...]
        guard let first = pieces.first, let last = pieces.last, rest.starts(with: first) else { return false }
        guard pieces.count > 1 else { return rest.count == first.count }
        rest = rest.dropFirst(first.count)
        // The leftmost place of each middle piece leaves the most for the pieces after it.
        for piece in pieces.dropFirst().dropLast() where !piece.isEmpty {
            guard
                let start = rest.indices.first(where: {
                    rest[$0...].starts(with: piece)
                })
            else { return false }
            rest = rest[(start + piece.count)...]
        }
        return rest.count >= last.count && rest.suffix(last.count).elementsEqual(last)
    }
}
