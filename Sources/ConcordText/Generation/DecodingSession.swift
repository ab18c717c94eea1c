import ConcordCore

/// A model in the middle of a batch of sequences, with what it remembers of their tokens.
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
    /// A token that the model takes for the end of a row's content: it is never generated, and no prompt may have it. Nil
    /// when there is none, or it is the end token.
    var padToken: Int32? { get }
    /// The number of sequences now.
    var rowCount: Int { get }

    /// Puts the rows at `rows` in place of all: row `i` goes on from what was row `rows[i]`.
    ///
    /// Rows that are left out are over; a row may go on several times. Rows of one item stay together, and items in order.
    func select(rows: [Int]) throws(ConcordError)

    /// Reads the next tokens of all rows, then calls `body` with the logits of the tokens that follow, `[rows, vocabulary]`.
    ///
    /// - Parameter tokens: `[rows, count]`, row by row: the same number for each row, one at least.
    /// - Throws: when the model fails, or what `body` throws.
    func read(
        _ tokens: [Int32], logits body: (TokenLogits) throws(ConcordError) -> Void
    ) throws(ConcordError)
}
