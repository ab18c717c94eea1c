import ConcordCheckpoint
import ConcordCore
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

    /// The unit vectors of captions that are in the cache, `[view][row]`, as the values of a batch.
    ///
    /// - Parameter rows: the places of the rows in the batch; nil for all.
    func batch(of captions: [[[Int32]]], rows: [Int]? = nil, groups: Tensor?) -> ModalityBatch {
        let vectors = vectors(of: captions.flatMap(\.self))  // [views · rows, width]
        return ModalityBatch(
            vectors.reshaped([captions.count, -1] + vectors.shape.dropFirst()).transposed(0, 1),
            rows: rows, groups: groups, hasViews: true, isEmbedded: true)
    }

    /// `[captions, width]`
    private func vectors(of captions: [[Int32]]) -> Tensor {
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

extension ModalityBatch {
    /// Captions of the rows of a batch.
    ///
    /// - Parameters:
    ///   - captions: token ids, `[view][row]`, special tokens included.
    ///   - rows: the places of the rows in the batch; nil for all.
    init(
        captions: [[[Int32]]], rows: [Int]? = nil, tokenizer: any Tokenizer, tower: TextTowerConfiguration,
        groups: Tensor?
    ) {
        let tokens = TokenTensors(captions.flatMap(\.self), tokenizer: tokenizer, tower: tower)
        func byRow(_ tensor: Tensor) -> Tensor {  // [views · rows, …] → [rows, views, …]
            tensor.reshaped([captions.count, -1] + tensor.shape.dropFirst()).transposed(0, 1)
        }
        self.init(byRow(tokens.ids), lengths: byRow(tokens.lengths), rows: rows, groups: groups, hasViews: true)
    }

    /// Numbers that captions with the same tokens share, on every process: int64 `[rows, views]`.
    static func groups(of captions: [[[Int32]]]) -> Tensor {
        let rows = captions.first?.count ?? 0
        let hashes = (0..<rows).flatMap { row in
            captions.map { view in
                // Their hash; two captions among a million share one by chance once in 10⁷ times.
                Int64(
                    bitPattern: view[row].reduce(0) {
                        RandomSource.value(seed: $0, stream: UInt64(UInt32(bitPattern: $1)))
                    })
            }
        }
        return Tensor(hashes, shape: [rows, captions.count])
    }
}
