import ConcordCore
import Synchronization

/// The way of a text to its tokens and back, as a `tokenizer.json` describes it: a splitter, a model, a post-processor
/// and
/// decoders.
///
/// A class: it has many parts, and copying their references took a good part of the time of encoding.
final class TokenizerPipeline: Sendable {
    enum Model: Sendable {
        case wordPiece(WordPieceModel)
        case bpe(BPEModel)
        case unigram(UnigramModel<Double>)

        /// The tokens of a piece of text, in UTF-8.
        func encode(_ piece: ArraySlice<UInt8>) -> [Int32] {
            switch self {
            case .wordPiece(let model): model.encode(piece)
            case .bpe(let model): model.encode(piece)
            case .unigram(let model): model.encode(piece)
            }
        }
    }

    /// The vocabulary's spelling of each token, by id.
    let tokens: [String]
    let splitter: TextSplitter
    let postProcessor: PostProcessor
    private let model: Model
    /// Nil where the file has no decoder; tokens are put together with spaces then.
    private let decoders: [TokenDecoder]?
    private let cache = PieceCache()

    init(
        tokens: [String], splitter: TextSplitter, model: Model, postProcessor: PostProcessor, decoders: [TokenDecoder]?
    ) {
        self.tokens = tokens
        self.splitter = splitter
        self.model = model
        self.postProcessor = postProcessor
        self.decoders = decoders
    }

    /// The ids of a text with the special tokens around them, at most `contextLength`.
    func encode(_ text: String, contextLength: Int) -> (ids: [Int32], isTruncated: Bool) {
        var ids = [Int32]()
        var bytes = [UInt8]()
        splitter.split(text) { id in
            ids.append(id)
        } piece: { piece in
            bytes.removeAll(keepingCapacity: true)
            for scalar in piece { bytes.append(utf8Of: scalar) }
            ids += cache.tokens(of: bytes[...]) { model.encode(bytes[...]) }
        }
        return postProcessor.process(ids, contextLength: contextLength)
    }

    /// The special tokens whose names stand in a text.
    func specialTokens(in text: String) -> [Int32] {
        var ids = [Int32]()
        splitter.split(text) { id in
            if splitter.addedTokens.specialIDs.contains(id) { ids.append(id) }
        } piece: { _ in
        }
        return ids
    }

    /// The spelling of a token; nil for an id that the vocabulary lacks.
    func token(for id: Int32) -> String? { tokens.indices.contains(Int(id)) ? tokens[Int(id)] : nil }

    /// The text that ids stand for, without special tokens.
    func decode(_ ids: [Int32]) -> String {
        let added = splitter.addedTokens
        let names = ids.filter { tokens.indices.contains(Int($0)) && !added.specialIDs.contains($0) }
            .map { added.decodedNames[$0] ?? tokens[Int($0)] }
        guard let decoders else { return names.joined(separator: " ") }
        return decoders.reduce(names) { $1.apply(to: $0) }.joined()
    }
}

/// Cuts a text into the tokens that were added to the vocabulary, and the pieces between them that the model encodes.
///
/// A class, as ``TokenizerPipeline`` is.
final class TextSplitter: Sendable {
    let addedTokens: AddedTokens
    private let normalizers: [TextNormalizer]
    private let preTokenizers: [PreTokenizer]

    /// - Parameter findsTokens: whether the names of the tokens in a text stand for the tokens.
    init(
        addedTokens: [AddedTokens.Token], findsTokens: Bool = true, normalizers: [TextNormalizer],
        preTokenizers: [PreTokenizer]
    ) {
        self.addedTokens = AddedTokens(addedTokens, areFound: findsTokens) { text in
            for normalizer in normalizers { normalizer.apply(to: &text) }
        }
        self.normalizers = normalizers
        self.preTokenizers = preTokenizers
    }

    /// Calls `token` with each added token of a text, and `piece` with each piece between them, in order.
    func split(_ text: String, token: (Int32) -> Void, piece: (ArraySlice<Unicode.Scalar>) -> Void) {
        // The view does not know its length; an array made from it would count first.
        var scalars = [Unicode.Scalar]()
        scalars.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars { scalars.append(scalar) }
        addedTokens.raw.forEachPart(of: scalars[...]) { part in
            guard case .text(let raw) = part else { return visit(part, token) }
            var normalized = NormalizedText(scalars: Array(raw), originCount: raw.startIndex == 0 ? 1 : 0)
            for normalizer in normalizers { normalizer.apply(to: &normalized) }
            let isAtOrigin = normalized.originCount > 0
            addedTokens.normalized.forEachPart(of: normalized.scalars[...]) { part in
                guard case .text(let scalars) = part else { return visit(part, token) }
                let slice = TextSlice(
                    scalars: scalars, isAtOrigin: isAtOrigin && scalars.startIndex < normalized.originCount)
                split(slice, by: preTokenizers[...], piece)
            }
        }
    }

    private func visit(_ part: AddedTokens.Part, _ body: (Int32) -> Void) {
        if case .token(let id) = part { body(id) }
    }

    private func split(
        _ text: TextSlice, by steps: ArraySlice<PreTokenizer>, _ body: (ArraySlice<Unicode.Scalar>) -> Void
    ) {
        guard let step = steps.first else { return body(text.scalars) }
        if steps.count == 1 { return step.forEachPart(of: text) { body($0.scalars) } }
        step.forEachPart(of: text) { split($0, by: steps.dropFirst(), body) }
    }
}

/// The special tokens that begin and end every text.
struct PostProcessor: Sendable, Hashable {
    var prefix: [Int32] = []
    var suffix: [Int32] = []

    /// Puts the special tokens around the ids of a text, of which the last are dropped where all would be too many.
    func process(_ ids: [Int32], contextLength: Int) -> (ids: [Int32], isTruncated: Bool) {
        let room = contextLength - prefix.count - suffix.count
        // Not even the special tokens fit: the last of them matter most, since models pool there.
        guard room >= 0 else { return (Array((prefix + suffix).suffix(max(contextLength, 0))), true) }
        let kept = min(ids.count, room)
        var processed = [Int32]()
        processed.reserveCapacity(prefix.count + kept + suffix.count)
        processed += prefix
        processed += ids.prefix(kept)
        processed += suffix
        return (processed, kept < ids.count)
    }
}

/// The tokens of a vocabulary and their ids, checked: ids are 0 to n-1, each once, and no token is listed twice.
struct TokenTable: Sendable {
    /// The vocabulary file's spelling of each token, by id.
    let tokens: [String]
    /// Keys are bytes: `String` would take canonically equivalent names for one.
    let ids: [[UInt8]: Int32]

    /// Checks and indexes a vocabulary; `source` names the file in errors. Throws `.invalidTokenizer`.
    init(entries: [(name: String, id: Int)], source: String) throws(ConcordError) {
        func failure(_ problem: String) -> ConcordError { .init(.invalidTokenizer, "\(source): \(problem)") }
        var tokens = [String?](repeating: nil, count: entries.count)
        var ids = [[UInt8]: Int32](minimumCapacity: entries.count)
        for (name, id) in entries {
            guard tokens.indices.contains(id) else {
                throw failure(
                    "token \"\(name)\" has id \(id), but \(entries.count) tokens need ids 0 to \(entries.count - 1)")
            }
            if let other = tokens[id] { throw failure("tokens \"\(other)\" and \"\(name)\" share id \(id)") }
            guard ids.updateValue(Int32(id), forKey: Array(name.utf8)) == nil else {
                throw failure("token \"\(name)\" is listed twice")
            }
            tokens[id] = name
        }
        // As many ids as tokens, all different and in range: none is left out.
        self.tokens = tokens.compactMap { $0 }
        self.ids = ids
    }

    func id(of name: String) -> Int32? { ids[Array(name.utf8)] }

    /// Tokens and ids of a vocabulary that is an object. Throws `.invalidTokenizer`.
    static func entries(
        _ members: [JSONValue.Member], source: String
    ) throws(ConcordError) -> [(name: String, id: Int)] {
        var entries = [(name: String, id: Int)]()
        entries.reserveCapacity(members.count)
        for member in members {
            guard case .integer(let id) = member.value else {
                throw ConcordError(.invalidTokenizer, "\(source): the id of \"\(member.name)\" is not an integer")
            }
            entries.append((member.name, id))
        }
        return entries
    }
}

/// Remembers the tokens of pieces seen before. Bounded, and safe to share between threads.
final class PieceCache: Sendable {
    /// Longer pieces are rare and would fill the memory.
    static let longestPiece = 64
    private static let piecesPerShard = 4096

    /// One lock a shard, so that threads seldom wait for each other.
    private final class Shard: Sendable {
        let tokens = Mutex<[Key: [Int32]]>([:])
    }

    /// The bytes of a piece, hashed as a whole: a slice hashes each element by itself.
    private struct Key: Hashable {
        let bytes: ArraySlice<UInt8>

        func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }
    }

    private let shards = (0..<16).map { _ in Shard() }

    /// The tokens of `piece`, from the cache or from `encode`.
    func tokens(of piece: ArraySlice<UInt8>, _ encode: () -> [Int32]) -> [Int32] {
        guard piece.count <= Self.longestPiece, let first = piece.first, let last = piece.last else { return encode() }
        let shard = shards[Int(first &+ last &* 31 &+ UInt8(piece.count)) & 15]
        if let known = shard.tokens.withLock({ $0[Key(bytes: piece)] }) { return known }
        let tokens = encode()
        shard.tokens.withLock { known in
            // Starting over is simpler than aging; a caption vocabulary fits many times.
            if known.count >= Self.piecesPerShard { known.removeAll(keepingCapacity: true) }
            known[Key(bytes: ArraySlice(Array(piece)))] = tokens
        }
        return tokens
    }
}
