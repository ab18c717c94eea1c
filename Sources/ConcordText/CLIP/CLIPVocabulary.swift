import ConcordCore

/// The tokens and merges of a byte-level BPE, checked to fit together.
struct CLIPVocabulary: Sendable {
    /// How the vocabulary file spells each token, by id.
    let tokens: [String]
    /// The pairs that are merged, in rank order, as token ids.
    let merges: [(left: Int32, right: Int32)]
    let table: MergeTable
    /// The token of each byte, then the token of each byte at the end of a word; 512 ids.
    let byteTokens: [Int32]
    let start, end: Int32

    /// The spellings of the start and end tokens: OpenAI's and Hugging Face's, then open_clip's.
    static let specialNames = [
        (start: "<|startoftext|>", end: "<|endoftext|>"), (start: "<start_of_text>", end: "<end_of_text>"),
    ]

    /// Checks and indexes a vocabulary.
    ///
    /// - Parameters:
    ///   - entries: every token and its id; ids must be 0 to n-1, each once.
    ///   - mergePairs: the merges in rank order. Each joins single bytes or results of earlier merges, and makes a
    ///     token that no other makes: then all implementations of BPE agree.
    ///   - unknownToken: the token of a byte that the vocabulary lacks; nil refuses such a vocabulary.
    ///   - source: what to call the file in errors.
    init(
        entries: [(name: String, id: Int)], merges mergePairs: [(left: String, right: String)], unknownToken: String?,
        source: String
    ) throws(ConcordError) {
        func failure(_ problem: String) -> ConcordError { .init(.invalidTokenizer, "\(source): \(problem)") }

        let vocabulary = try TokenTable(entries: entries, source: source)
        tokens = vocabulary.tokens
        func id(_ name: String) -> Int32? { vocabulary.id(of: name) }
        let names = Self.specialNames.first { id($0.start) != nil && id($0.end) != nil }
        guard let names, let start = id(names.start), let end = id(names.end) else {
            throw failure("it lacks the tokens \(Self.specialNames[0].start) and \(Self.specialNames[0].end)")
        }
        self.start = start
        self.end = end

        var isReachable = [Bool](repeating: false, count: entries.count)
        let unknown = unknownToken.flatMap(id)
        var byteTokens = [Int32]()
        for (byte, endsWord) in (0..<512).map({ (UInt8($0 & 255), $0 > 255) }) {
            let spelling = ByteSymbols.spelling(of: [byte], endsWord: endsWord)
            guard let token = id(spelling) ?? unknown else {
                throw failure("it lacks the token \"\(spelling)\" of byte \(byte), and has no unknown token for it")
            }
            if token != unknown { isReachable[Int(token)] = true }
            byteTokens.append(token)
        }
        self.byteTokens = byteTokens

        var table = MergeTable(capacity: mergePairs.count)
        var merges = [(left: Int32, right: Int32)]()
        for (rank, pair) in mergePairs.enumerated() {
            func part(_ name: String) throws(ConcordError) -> Int32 {
                guard let found = id(name) else {
                    throw failure("merge \(rank) (\"\(pair.left) \(pair.right)\") uses the unknown token \"\(name)\"")
                }
                guard isReachable[Int(found)] else {
                    throw failure(
                        "merge \(rank) (\"\(pair.left) \(pair.right)\") uses \"\(name)\", which no earlier merge makes")
                }
                return found
            }
            let left = try part(pair.left)
            let right = try part(pair.right)
            guard let token = id(pair.left + pair.right) else {
                throw failure("merge \(rank) makes \"\(pair.left + pair.right)\", which is not in the vocabulary")
            }
            guard !isReachable[Int(token)] else {
                throw failure("merge \(rank) makes \"\(pair.left + pair.right)\", which is there already")
            }
            isReachable[Int(token)] = true
            _ = table.insert(left, right, rank: rank, makes: token)
            merges.append((left, right))
        }
        self.table = table
        self.merges = merges
    }
}

extension CLIPVocabulary {
    /// The vocabulary that merges alone define, numbered as OpenAI's: bytes, bytes at a word's end, merges, specials.
    init(merges: [(left: String, right: String)], source: String) throws(ConcordError) {
        let bytes = ByteSymbols.order.map { ByteSymbols.spelling(of: [$0], endsWord: false) }
        let names =
            bytes + bytes.map { $0 + ByteSymbols.wordEnd } + merges.map { $0.left + $0.right }
            + [Self.specialNames[0].start, Self.specialNames[0].end]
        try self.init(
            entries: names.enumerated().map { ($1, $0) }, merges: merges, unknownToken: nil, source: source)
    }
}
