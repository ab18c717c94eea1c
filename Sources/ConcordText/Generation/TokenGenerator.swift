import ConcordCore

/// Continues the prompts of a batch, one token of every sequence a step.
///
/// ```swift
/// let generator = try TokenGenerator(session, requests: requests)
/// let captions = try generator.run()          // or, a step at a time:
/// while let updates = try generator.next() { … }
/// ```
///
/// Each request is searched for itself, by its own options; its result does not depend on its neighbors, but for
/// the rounding of the model's own arithmetic in batches of different sizes. Rows that have ended leave the batch.
/// Prompts may differ in length: rows with a longer one are fed from it while the others choose already.
public final class TokenGenerator {
    private struct Item {
        var search: any SequenceSearch
        var rows: [Row]
    }

    /// A sequence that goes on: the session's row that it goes on from, and its tokens that the model has not read.
    private struct Row {
        var parent: Int
        var unread: ArraySlice<Int32>
    }

    private let session: any DecodingSession
    private var items: [Item]

    /// - Parameter session: has a row for each request, and has read nothing.
    /// - Throws: `.invalidArgument` for options or prompts that are impossible, or do not fit the model.
    public init(_ session: any DecodingSession, requests: [GenerationRequest]) throws(ConcordError) {
        guard session.rowCount == requests.count else {
            throw ConcordError(
                .invalidArgument,
                "\(requests.count) requests for a session of \(session.rowCount) rows; give one for each")
        }
        var items = [Item]()
        for (index, request) in requests.enumerated() {
            let prompt = request.prompt ?? [session.startToken]
            do throws(ConcordError) {
                try request.options.validate(
                    prompt: prompt, vocabularySize: session.vocabularySize,
                    contextLength: session.contextLength, padToken: session.padToken)
            } catch {
                throw requests.count == 1 ? error : ConcordError(error.code, "item \(index): \(error.message)")
            }
            let search = SearchRequest(
                item: index, prompt: prompt, options: request.options,
                stopTokens: request.options.stopTokens ?? [session.endToken])
            items.append(
                Item(
                    search: Self.search(
                        search, LogitReader(search, vocabularySize: session.vocabularySize, padToken: session.padToken)),
                    rows: [Row(parent: index, unread: prompt[...])]))
        }
        self.session = session
        self.items = items
    }

    private static func search(
        _ request: SearchRequest, _ reader: LogitReader
    ) -> any SequenceSearch {
        switch request.options.strategy {
        case .greedy, .sample: return SamplingSearch(request, reader: reader)
        case .beam(let width, let groups, let diversityPenalty, let lengthPenalty):
            return BeamSearch(
                request, reader: reader, width: width, groups: groups, diversityPenalty: diversityPenalty,
                lengthPenalty: lengthPenalty)
        }
    }

    /// Whether all sequences have ended.
    public var isFinished: Bool { items.allSatisfy(\.rows.isEmpty) }

    /// Whether a request's sequences have ended.
    package func isFinished(item: Int) -> Bool { items[item].rows.isEmpty }

    /// Ends a request's sequences where they are; the others go on.
    package func drop(item: Int) { items[item].rows = [] }

    /// The results of each request. A search's are in the order of their score, and fewer than asked for where it finds
    /// fewer; draws in the order of their streams. What has not ended is as far as it has come.
    public var results: [[GeneratedTokens]] { items.map(\.search.results) }

    /// Takes all steps.
    public func run() throws(ConcordError) -> [[GeneratedTokens]] {
        while try next() != nil {}
        return results
    }

    /// Takes one step: the model reads a token of every sequence, or several of a prompt, and the next are chosen.
    ///
    /// - Returns: what joined the results, possibly nothing; nil when all have ended.
    /// - Throws: what the model throws; `.nonFiniteValue` when its logits are NaN or infinite. Nothing follows an error.
    public func next() throws(ConcordError) -> [GenerationUpdate]? {
        let rows = items.flatMap(\.rows)
        guard let count = rows.map(\.unread.count).min() else { return nil }
        let parents = rows.map(\.parent)
        var updates = [GenerationUpdate]()
        do throws(ConcordError) {
            if parents != Array(0..<session.rowCount) { try session.select(rows: parents) }
            try session.read(rows.flatMap { $0.unread.prefix(count) }) { logits throws(ConcordError) in
                try choose(logits, rows: rows.count, read: count, updates: &updates)
            }
        } catch {
            for index in items.indices { items[index].rows = [] }
            throw error
        }
        return updates
    }

    private func choose(
        _ logits: TokenLogits, rows: Int, read count: Int, updates: inout [GenerationUpdate]
    ) throws(ConcordError) {
        guard logits.count == rows * session.vocabularySize else {
            throw ConcordError(
                .shapeMismatch,
                "\(logits.count) logits for \(rows) rows of a vocabulary of \(session.vocabularySize)")
        }
        var first = 0
        for index in items.indices where !items[index].rows.isEmpty {
            let rows = items[index].rows
            if let row = rows.first, row.unread.count > count {
                // Still in its prompt, where an item has one row.
                items[index].rows = [Row(parent: first, unread: row.unread.dropFirst(count))]
            } else {
                items[index].rows = try items[index].search.advance(logits, firstRow: first, updates: &updates)
                    .map { Row(parent: first + $0.parent, unread: [$0.token]) }
            }
            first += rows.count
        }
    }
}

/// The state of a model that generates a batch of sequences, with its memory of their tokens.
///
/// It starts with one row for each item and no tokens. All rows have the same number of tokens at any time. What
/// chooses tokens sees a model only through this, so the same tokens come from whatever computes the logits.
/// A session belongs to one thread.
public protocol DecodingSession: AnyObject {
    /// The number of tokens that the model knows, the length of a row of logits.
    var vocabularySize: Int { get }
    /// The most tokens of a sequence, its prompt included.
    var contextLength: Int { get }
    /// The token that starts every sequence.
    var startToken: Int32 { get }
    /// The token that the model ends a sequence with.
    var endToken: Int32 { get }
    /// A token that the model takes for the end of a row's content: it is never generated, and no prompt may have it.
    /// Nil when there is none, or it is the end token.
    var padToken: Int32? { get }
    /// The number of sequences now.
    var rowCount: Int { get }

    /// Puts the rows at `rows` in place of all: row `i` goes on from what was row `rows[i]`.
    ///
    /// Rows that are left out are over; a row may go on several times. Rows of one item stay together, and
    /// items in order.
    func select(rows: [Int]) throws(ConcordError)

    /// Reads the next tokens of all rows, then calls `body` with the logits of the tokens that follow,
    /// `[rows, vocabulary]`.
    ///
    /// - Parameter tokens: `[rows, count]`, row by row: the same number for each row, one at least.
    /// - Throws: when the model fails, or what `body` throws.
    func read(
        _ tokens: [Int32], logits body: (TokenLogits) throws(ConcordError) -> Void
    ) throws(ConcordError)
}

/// A sequence of tokens that a model continued a prompt with.
public struct GeneratedTokens: Sendable, Hashable {
    /// Why a sequence ended.
    public enum FinishReason: String, Sendable, Hashable {
        /// Its last token is a stop token.
        case stop
        /// It has as many tokens as were allowed.
        case length
    }

    /// The new tokens, without the prompt. A stop token at the end is among them.
    public let tokens: [Int32]
    /// The logarithm of each token's probability in the model's own distribution, that of all tokens: before
    /// temperature, penalties, and without what was not allowed.
    public let tokenLogProbabilities: [Double]
    /// The rank of a result among those of its request: after a beam search as ``GenerationStrategy/beam(width:groups:diversityPenalty:lengthPenalty:)``
    /// says, otherwise ``logProbability``.
    public let score: Double
    public let finishReason: FinishReason

    package init(
        tokens: [Int32], tokenLogProbabilities: [Double], score: Double? = nil, finishReason: FinishReason
    ) {
        self.tokens = tokens
        self.tokenLogProbabilities = tokenLogProbabilities
        self.score = score ?? tokenLogProbabilities.reduce(0, +)
        self.finishReason = finishReason
    }

    /// The logarithm of the sequence's probability: the sum over its tokens, a stop token included.
    public var logProbability: Double { tokenLogProbabilities.reduce(0, +) }
}

/// Tokens that joined one result of one request in a step.
///
/// Put one after the other, the updates of a result are its ``GeneratedTokens``. A beam search knows its tokens only when
/// it has ended, and gives each result in one update then.
public struct GenerationUpdate: Sendable, Hashable {
    /// The request's place in the batch.
    public let item: Int
    /// The number of the result among those of the request.
    public let result: Int
    public let tokens: [Int32]
    /// As ``GeneratedTokens/tokenLogProbabilities``.
    public let logProbabilities: [Double]
    /// Why the result ended; nil when more tokens follow.
    public let finishReason: GeneratedTokens.FinishReason?
}

/// A caption that a model wrote.
public struct GeneratedCaption: Sendable, Hashable {
    /// The whole text, the prompt included, without special tokens.
    public let text: String
    /// The new tokens, an end token included, with their probabilities.
    public let tokens: GeneratedTokens

    package init(text: String, tokens: GeneratedTokens) {
        self.text = text
        self.tokens = tokens
    }

    /// The members of a line of `concord caption --json`, but for the image's name.
    package var members: [JSONValue.Member] {
        [
            .init("caption", .string(text)), .init("tokens", .array(tokens.tokens.map { .integer(Int($0)) })),
            .init("log_probability", .number(tokens.logProbability)),
        ]
    }
}

/// A search for the results of one request.
protocol SequenceSearch {
    /// The results, as soon as ``advance(_:firstRow:updates:)`` has nothing that goes on.
    var results: [GeneratedTokens] { get }

    /// Chooses the tokens that follow the request's rows.
    ///
    /// - Parameters:
    ///   - logits: of all rows of the batch.
    ///   - firstRow: the first of the request's rows, which stand in the order that the last call gave; at first there
    ///     is one, that of the prompt.
    ///   - updates: receives what is known now.
    /// - Returns: the request's next rows: which of its rows each goes on from, and the token that it does with.
    mutating func advance(
        _ logits: TokenLogits, firstRow: Int, updates: inout [GenerationUpdate]
    ) throws(ConcordError) -> [SequenceContinuation]
}

struct SequenceContinuation {
    let parent: Int
    let token: Int32
}

/// A request whose open options are filled in with the model's own tokens.
struct SearchRequest {
    /// Its place in the batch.
    let item: Int
    let prompt: [Int32]
    let options: GenerationOptions
    let stopTokens: [Int32]
}
