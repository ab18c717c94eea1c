import ConcordCore

/// The tokens and merges of a CLIP, checked to fit together.
struct CLIPVocabulary: Sendable {
    /// The vocabulary file's spelling of each token, by id.
    let tokens: [String]
    /// The pairs that are merged, in rank order, as token ids.
    let merges: [(left: Int32, right: Int32)]
    let start, end: Int32

    private let ids: [[UInt8]: Int32]
    private let table: MergeTable
    /// The token of a byte that the vocabulary lacks.
    private let unknown: Int32?
    private let source: String

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
        ids = vocabulary.ids
        self.source = source
        func id(_ name: String) -> Int32? { vocabulary.id(of: name) }
        let names = Self.specialNames.first { id($0.start) != nil && id($0.end) != nil }
        guard let names, let start = id(names.start), let end = id(names.end) else {
            throw failure("it lacks the tokens \(Self.specialNames[0].start) and \(Self.specialNames[0].end)")
        }
        self.start = start
        self.end = end

        unknown = unknownToken.flatMap(id)
        var isReachable = [Bool](repeating: false, count: entries.count)
        for byte in UInt8.min...UInt8.max {
            for endsWord in [false, true] {
                let token = id(ByteSymbols.spelling(of: [byte], endsWord: endsWord))
                if let token, token != unknown { isReachable[Int(token)] = true }
            }
        }

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

    /// The model that encodes pieces.
    ///
    /// - Parameter wholePieces: pieces that are never merged, and their tokens.
    /// - Throws: `.invalidTokenizer` for a byte without a token where there is no unknown token.
    func model(wholePieces: [[UInt8]: Int32]) throws(ConcordError) -> BPEModel {
        var options = BPEModel.Options()
        options.isByteLevel = true
        options.suffix = ByteSymbols.wordEnd
        options.unknown = unknown
        return try BPEModel(
            vocabulary: ids, merges: table, options: options, wholePieces: wholePieces, source: source)
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
