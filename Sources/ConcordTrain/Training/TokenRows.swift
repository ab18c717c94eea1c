import ConcordCheckpoint
import ConcordData
import ConcordTensor
import ConcordText

/// Captions as a text tower takes them: ids `[captions, tokens]` and how many of each row are the caption's.
struct TokenRows {
    let ids, lengths: Tensor

    /// - Parameter rows: the ids of each caption, special tokens included.
    init(_ rows: [[Int32]], tokenizer: any Tokenizer, tower: TextTowerConfiguration) {
        let batch = TokenBatch(
            rows: rows, padToken: tower.padToken(tokenizer), truncatedCount: 0,
            minimumWidth: tower.readsPadding ? tower.contextLength : 0)
        ids = Tensor(batch.ids, shape: [rows.count, batch.width])
        lengths = Tensor(batch.lengths.map(Int64.init))
    }
}
