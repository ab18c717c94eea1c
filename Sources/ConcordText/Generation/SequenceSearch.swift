import ConcordCore

/// The search for the results of one request.
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
