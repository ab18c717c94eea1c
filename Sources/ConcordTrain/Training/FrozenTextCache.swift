import ConcordCheckpoint
import ConcordData
import ConcordEvaluate
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordText

/// The vectors of all captions that a run may draw, computed once: for a text tower that is locked whole.
///
/// They are float32, and computed in batches that follow from the captions alone, so that a resumed run has the same
/// bits.
struct LockedCaptions {
    private let rows: [[Int32]: Int64]
    /// `[captions, width]`, on the model's device.
    private let vectors: Tensor

    /// Embeds the captions; nil when their vectors need more than `limit` bytes.
    ///
    /// - Parameter captions: the ids of each caption, special tokens included; repeated ones are embedded once.
    init?(
        _ captions: some Sequence<[Int32]>, model: any ImageTextEncoder, tokenizer: any Tokenizer, limit: Int,
        batchSize: Int = 256, progress: ProgressDisplay? = nil
    ) {
        let captions = Set(captions)
        guard captions.count * model.embeddingWidth * MemoryLayout<Float>.size <= limit else { return nil }
        // Rows of one length share a batch, so that none is padded for another.
        let distinct = captions.sorted {
            $0.count != $1.count ? $0.count < $1.count : $0.lexicographicallyPrecedes($1)
        }
        rows = Dictionary(uniqueKeysWithValues: distinct.enumerated().map { ($1, Int64($0)) })
        let store = model.store, wasTraining = store.isTraining
        store.isTraining = false
        defer { store.isTraining = wasTraining }
        vectors = withoutGradient {
            Tensor.concatenated(
                stride(from: 0, to: distinct.count, by: batchSize).map { start in
                    let end = min(start + batchSize, distinct.count)
                    let batch = TokenRows(
                        Array(distinct[start..<end]), tokenizer: tokenizer, tower: model.textConfiguration)
                    progress?.show(done: end, of: distinct.count)
                    return model.embedTexts(batch.ids.to(store.device), lengths: batch.lengths.to(store.device))
                })
        }
        progress?.finish()
    }

    /// The unit vectors of captions that were given at the start, `[captions, width]`.
    func callAsFunction(_ captions: [[Int32]]) -> Tensor {
        let indices = captions.map { caption in
            guard let row = rows[caption] else {
                preconditionFailure("a caption was drawn that is not among those of the data set")
            }
            return row
        }
        return withoutGradient { vectors.indexSelected(axis: 0, Tensor(indices).to(vectors.device)) }
    }
}

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
