import ConcordCheckpoint
import ConcordData
import ConcordEvaluate
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordText

/// The vectors of all captions that a run may draw, computed once, for a text tower that is frozen whole.
///
/// They are float32, and computed in batches that follow from the captions alone, so that a resumed run has the same
/// bits.
struct FrozenTextCache {
    /// The row of each caption.
    private let rows: [[Int32]: Int64]
    /// `[captions, width]`, on the model's device.
    private let vectors: Tensor

    /// Embeds the captions.
    ///
    /// - Parameter captions: the ids of each caption, special tokens included; repeated ones are embedded once.
    /// - Returns: nil when the vectors need more than `limit` bytes.
    static func embed(
        _ captions: some Sequence<[Int32]>, model: any ImageTextEncoder, tokenizer: any Tokenizer, limit: Int,
        batchSize: Int = 256, progress: ProgressDisplay? = nil
    ) -> FrozenTextCache? {
        let captions = Set(captions)
        guard captions.count * model.embeddingWidth * MemoryLayout<Float>.size <= limit else { return nil }
        // Rows of one length share a batch, so that none is padded for another.
        let distinct = captions.sorted {
            $0.count != $1.count ? $0.count < $1.count : $0.lexicographicallyPrecedes($1)
        }
        let store = model.store
        let wasTraining = store.isTraining
        store.isTraining = false
        defer { store.isTraining = wasTraining }
        let vectors = withoutGradient {
            Tensor.concatenated(
                stride(from: 0, to: distinct.count, by: batchSize).map { start in
                    let end = min(start + batchSize, distinct.count)
                    let batch = TokenTensors(
                        Array(distinct[start..<end]), tokenizer: tokenizer, tower: model.textConfiguration)
                    progress?.show(done: end, of: distinct.count)
                    return model.embedTexts(batch.ids.to(store.device), lengths: batch.lengths.to(store.device))
                })
        }
        progress?.finish()
        return FrozenTextCache(
            rows: Dictionary(uniqueKeysWithValues: distinct.enumerated().map { ($1, Int64($0)) }), vectors: vectors)
    }

    /// The unit vectors of captions that are in the cache, `[captions, width]`.
    func vectors(of captions: [[Int32]]) -> Tensor {
        let indices = captions.map { caption in
            guard let row = rows[caption] else {
                preconditionFailure("a caption was drawn that the data set does not have")
            }
            return row
        }
        return withoutGradient { vectors.indexSelected(axis: 0, Tensor(indices).to(vectors.device)) }
    }
}

/// Captions as a text tower takes them: ids `[captions, tokens]` and how many of each row are the caption's.
struct TokenTensors {
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

extension ContrastiveBatch<[[Int32]]> {
    /// Labels that captions with the same tokens share, int64 `[slots · batch]`.
    ///
    /// Slots are compared one by one, so that labels of one mean nothing in another.
    var duplicateLabels: Tensor {
        Tensor(
            tokens.flatMap { captions in
                var first = [[Int32]: Int64]()
                return captions.enumerated().map { index, tokens in
                    if let label = first[tokens] { return label }
                    first[tokens] = Int64(index)
                    return Int64(index)
                }
            })
    }
}
