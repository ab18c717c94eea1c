import ConcordCore

/// Byte-pair encoding as `model` of `tokenizer.json` describes it: over bytes (GPT-2, RoBERTa) or over characters
/// with bytes for unknown ones (Gemma).
struct PairMergeModel: Sendable {
    struct Options: Sendable {
        /// Whether pieces are spelled in bytes (``ByteSymbols``).
        var isByteLevel = false
        /// What marks the last character of a word.
        var suffix = ""
        var unknown: Int32?
        var fusesUnknown = false
        var fallsBackToBytes = false
        /// Whether a piece that is a token is taken as it is.
        var ignoresMerges = false
    }

    private let options: Options
    private let merges: MergeTable
    /// The token of each character, and that of each character at the end of a word.
    private let inner, last: [Unicode.Scalar: Int32]
    private let byteTokens: [Int32?]
    private let whole: [[UInt8]: Int32]

    /// - Throws: `.invalidTokenizer` for a merge of tokens that the vocabulary lacks, or one that is listed twice.
    init(
        vocabulary: [[UInt8]: Int32], merges pairs: [(left: String, right: String)], options: Options, source: String
    ) throws(ConcordError) {
        func failure(_ problem: String) -> ConcordError { .init(.invalidTokenizer, "\(source): \(problem)") }
        var merges = MergeTable(capacity: pairs.count)
        for (rank, pair) in pairs.enumerated() {
            let names = [pair.left, pair.right, pair.left + pair.right]
            var ids = [Int32]()
            for name in names {
                guard let id = vocabulary[Array(name.utf8)] else {
                    throw failure("merge \(rank) (\"\(pair.left) \(pair.right)\") needs the unknown token \"\(name)\"")
                }
                ids.append(id)
            }
            guard merges.insert(ids[0], ids[1], rank: rank, makes: ids[2]) else {
                throw failure("merge \(rank) (\"\(pair.left) \(pair.right)\") is listed twice")
            }
        }
        var inner = [Unicode.Scalar: Int32]()
        var last = [Unicode.Scalar: Int32]()
        let suffix = Array(options.suffix.unicodeScalars)
        for (key, id) in vocabulary {
            let scalars = String(decoding: key, as: UTF8.self).unicodeScalars
            guard let first = scalars.first, key.count <= 4 + options.suffix.utf8.count else { continue }
            if scalars.dropFirst().isEmpty { inner[first] = id }
            if scalars.dropFirst().elementsEqual(suffix) { last[first] = id }
        }
        let byteTokens = options.fallsBackToBytes ? ByteSymbols.fallbackTokens(vocabulary) : []
        // Without an unknown token a character that the vocabulary lacks would be lost in silence.
        if options.unknown == nil {
            if options.isByteLevel {
                for (byte, scalar) in ByteSymbols.scalars.enumerated() where inner[scalar] == nil || last[scalar] == nil
                {
                    throw failure("it lacks the token \"\(scalar)\" of byte \(byte), and has no unknown token for it")
                }
            } else if byteTokens.isEmpty || byteTokens.contains(nil) {
                throw failure("it has no unknown token, and not every character has a token")
            }
        }
        self.merges = merges
        self.inner = inner
        self.last = last
        self.options = options
        self.byteTokens = byteTokens
        whole = options.ignoresMerges ? vocabulary : [:]
    }

    func encode(_ piece: ArraySlice<UInt8>) -> [Int32] {
        let scalars =
            options.isByteLevel
            ? piece.map { ByteSymbols.scalars[Int($0)] }
            : Array(String(decoding: piece, as: UTF8.self).unicodeScalars)
        if options.ignoresMerges {
            var spelling = [UInt8]()
            for scalar in scalars { spelling.append(utf8Of: scalar) }
            if let token = whole[spelling] { return [token] }
        }
        var symbols = [Int32]()
        symbols.reserveCapacity(scalars.count)
        var isUnknownPending = false
        for (index, scalar) in scalars.enumerated() {
            let isLast = index == scalars.count - 1
            if let token = isLast ? last[scalar] : inner[scalar] {
                if isUnknownPending, let unknown = options.unknown { symbols.append(unknown) }
                isUnknownPending = false
                symbols.append(token)
            } else if options.fallsBackToBytes, let bytes = bytes(of: scalar, endsWord: isLast) {
                // As in the peer, an unknown character before these comes to stand behind them.
                symbols += bytes
            } else if let unknown = options.unknown {
                if isUnknownPending, !options.fusesUnknown { symbols.append(unknown) }
                isUnknownPending = true
            }
        }
        if isUnknownPending, let unknown = options.unknown { symbols.append(unknown) }
        return BytePairEncoder.merge(symbols, merges)
    }

    /// The tokens of a character's bytes; nil when one has none.
    private func bytes(of scalar: Unicode.Scalar, endsWord: Bool) -> [Int32]? {
        var spelling = [UInt8]()
        spelling.append(utf8Of: scalar)
        if endsWord { spelling += Array(options.suffix.utf8) }
        var tokens = [Int32]()
        for byte in spelling {
            guard let token = byteTokens[Int(byte)] else { return nil }
            tokens.append(token)
        }
        return tokens
    }
}

extension ByteSymbols {
    /// The tokens `<0x00>` to `<0xFF>` of a vocabulary, by byte.
    static func fallbackTokens(_ vocabulary: [[UInt8]: Int32]) -> [Int32?] {
        (0..<256).map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return vocabulary[Array("<0x\(digits.count < 2 ? "0" : "")\(digits)>".utf8)]
        }
    }
}
