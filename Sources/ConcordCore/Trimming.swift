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
