extension String {
    /// The text without white space at both ends.
    package var trimmed: String {
        // Most texts begin and end with a visible ASCII character, and this is far quicker than to look at scalars.
        let visible: ClosedRange<UInt8> = 0x21...0x7E
        if let first = utf8.first, let last = utf8.last, visible.contains(first), visible.contains(last) {
            return self
        }
        let scalars = unicodeScalars.drop { $0.properties.isWhitespace }
        guard let last = scalars.lastIndex(where: { !$0.properties.isWhitespace }) else { return "" }
        return String(String.UnicodeScalarView(scalars[...last]))
    }
}

extension Substring {
    /// The text without white space at both ends.
    package var trimmed: String { String(self).trimmed }
}

/// Suggestions for misspelled names.
package enum NearestName {
    /// The candidate with the smallest edit distance to `name`, when it is near enough to be worth showing.
    package static func suggestion(for name: String, among candidates: some Sequence<String>) -> String? {
        let most = max(2, name.count / 3), length = name.unicodeScalars.count
        // At least the difference in length has to be edited: a stranger's name of megabytes is compared with nothing.
        let near = candidates.filter { abs($0.unicodeScalars.count - length) <= most }
        let best = near.map { ($0, distance(name, $0)) }.min { ($0.1, $0.0) < ($1.1, $1.0) }
        guard let (candidate, edits) = best, edits <= most else { return nil }
        return candidate
    }

    /// Levenshtein distance over Unicode scalars.
    static func distance(_ a: String, _ b: String) -> Int {
        let left = Array(a.unicodeScalars), right = Array(b.unicodeScalars)
        var row = Array(0...right.count)
        for (i, x) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in right.enumerated() {
                let substitution = diagonal + (x == y ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substitution, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[right.count]
    }
}
