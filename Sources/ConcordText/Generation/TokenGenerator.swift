import ConcordCore

/// Continues the prompts of a batch, one token of every sequence a step.
///
/// ```swift
/// let generator = try TokenGenerator(session, requests: requests)
/// let captions = try generator.run()          // or, a step at a time:
/// while let updates = try generator.next() { … }
/// ```
///
/// Each request is searched for itself, by its own options; its result does not depend on its neighbours, but for
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
    public func isFinished(item: Int) -> Bool { items[item].rows.isEmpty }

    /// Ends a request's sequences where they are; the others do not notice.
    public func drop(item: Int) { items[item].rows = [] }

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
    /// - Throws: what the model throws; `.nonFiniteValue` when its logits are no numbers. Nothing follows an error.
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
