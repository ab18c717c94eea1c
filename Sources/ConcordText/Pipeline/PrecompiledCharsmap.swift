import ConcordCore

/// The character map of a SentencePiece model: a double-array trie from byte strings to their replacements.
///
/// Follows `spm_precompiled` and `normalizers/precompiled.rs` of `tokenizers`, with their quirk: of all the entries
/// that begin a grapheme cluster, the shortest replaces the whole cluster.
struct PrecompiledCharsmap: Sendable {
    private let units: [UInt32]
    /// The replacements, each ended by a zero byte.
    private let replacements: [UInt8]
    /// Whether a character below U+0080 is replaced.
    private let isReplaced: [Bool]

    /// Reads `precompiled_charsmap` of `tokenizer.json`. Throws `.invalidTokenizer`.
    init(base64 text: String, source: String) throws(ConcordError) {
        guard let data = Data(base64Encoded: text) else { throw Self.failure("is not base64", source) }
        try self.init(bytes: [UInt8](data), source: source)
    }

    /// Reads the map of a model file: the size of the trie, its units, and the replacements.
    init(bytes: [UInt8], source: String) throws(ConcordError) {
        func word(_ start: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * UInt32($1)) } }
        guard bytes.count >= 4 else {
            throw Self.failure("has \(bytes.count) bytes; at least 4 are needed", source)
        }
        let size = Int(word(0))
        guard size > 0, size % 4 == 0, size < bytes.count - 4 else {
            throw Self.failure("says that its trie has \(size) bytes, but \(bytes.count - 4) follow", source)
        }
        units = stride(from: 4, to: 4 + size, by: 4).map(word)
        replacements = Array(bytes[(4 + size)...])
        guard String(validating: replacements, as: UTF8.self) != nil else {
            throw Self.failure("is not UTF-8", source)
        }
        isReplaced = (UInt8(0)..<128).map { [units, replacements] byte in
            Self.replacement(of: [byte], units, replacements) != nil
        }
    }

    private static func failure(_ problem: String, _ source: String) -> ConcordError {
        ConcordError(.invalidTokenizer, "\(source): the precompiled character map \(problem)")
    }

    /// Checks that no text leads out of the tables: the sentencepiece library looks into them without asking.
    func checkReach(source: String) throws(ConcordError) {
        var isSeen = [Bool](repeating: false, count: units.count)
        var waiting = [Self.offset(units[0])]
        while let node = waiting.popLast() {
            guard node | 0xFF < units.count else { throw Self.failure("has a node outside its trie", source) }
            if isSeen[node] { continue }
            isSeen[node] = true
            for byte in 0..<256 {
                let found = units[node ^ byte]
                guard found & (1 << 31 | 0xFF) == UInt32(byte) else { continue }
                let child = node ^ byte ^ Self.offset(found)
                waiting.append(child)
                guard (found >> 8) & 1 == 1 else { continue }
                guard child < units.count, Int(units[child] & 0x7FFF_FFFF) < replacements.count else {
                    throw Self.failure("has a replacement outside its table", source)
                }
            }
        }
    }

    private static func offset(_ unit: UInt32) -> Int { Int(unit >> 10) << Int((unit & (1 << 9)) >> 6) }

    func apply(to text: inout NormalizedText) {
        let scalars = text.scalars
        var output = [Unicode.Scalar]()
        output.reserveCapacity(scalars.count)
        var newOriginCount = 0
        var position = 0
        var bytes = [UInt8]()
        while position < scalars.count {
            let end = endOfCluster(in: scalars, from: position)
            let isOrigin = position < text.originCount
            if end == position + 1, scalars[position].isASCII, !isReplaced[Int(scalars[position].value)] {
                output.append(scalars[position])
                if isOrigin { newOriginCount = output.count }
                position = end
                continue
            }
            bytes.removeAll(keepingCapacity: true)
            for scalar in scalars[position..<end] { bytes.append(utf8Of: scalar) }
            if bytes.count < 6, let found = replacement(of: bytes) {
                output += found
            } else {
                for scalar in scalars[position..<end] {
                    bytes.removeAll(keepingCapacity: true)
                    bytes.append(utf8Of: scalar)
                    output += replacement(of: bytes) ?? [scalar]
                }
            }
            if isOrigin { newOriginCount = output.count }
            position = end
        }
        // A first character that vanishes leaves its place to the next, as in the peer.
        text.originCount = text.originCount > 0 ? min(max(newOriginCount, 1), output.count) : 0
        text.scalars = output
    }

    /// The replacement of the shortest beginning of `key` that the map has.
    private func replacement(of key: [UInt8]) -> [Unicode.Scalar]? {
        Self.replacement(of: key, units, replacements)
    }

    private static func replacement(
        of key: [UInt8], _ units: [UInt32], _ replacements: [UInt8]
    ) -> [Unicode.Scalar]? {
        func unit(_ index: Int) -> UInt32 { index < units.count ? units[index] : 0x8000_0000 }
        var node = offset(unit(0))
        for byte in key {
            guard byte != 0 else { return nil }
            node ^= Int(byte)
            let found = unit(node)
            guard found & (1 << 31 | 0xFF) == UInt32(byte) else { return nil }
            node ^= offset(found)
            if (found >> 8) & 1 == 1 {
                let start = Int(unit(node) & 0x7FFF_FFFF)
                guard start < replacements.count else { return nil }
                let content = replacements[start...].prefix { $0 != 0 }
                return Array(String(decoding: content, as: UTF8.self).unicodeScalars)
            }
        }
        return nil
    }

    /// The end of the grapheme cluster that begins at `start`.
    private func endOfCluster(in scalars: [Unicode.Scalar], from start: Int) -> Int {
        let first = scalars[start]
        guard start + 1 < scalars.count else { return start + 1 }
        let second = scalars[start + 1]
        // Nothing joins what is plain; most text is.
        if first.isASCII, second.value < 0x300, first != "\r" { return start + 1 }
        if first.value < 0x300 || (0x3041..<0xA000).contains(first.value), second.isASCII, first != "\r" {
            return start + 1
        }
        // Take a window, and a larger one while the cluster may go on after it.
        var width = 8
        while true {
            let window = scalars[start..<min(start + width, scalars.count)]
            let cluster = String(String.UnicodeScalarView(window)).first.map { $0.unicodeScalars.count } ?? 1
            if cluster < window.count || window.endIndex == scalars.count { return start + cluster }
            width *= 2
        }
    }
}
