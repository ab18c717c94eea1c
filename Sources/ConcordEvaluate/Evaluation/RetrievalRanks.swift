import ConcordCore
import ConcordTensor

/// Ranks of the right answers, computed block by block, so that no `[queries, gallery]` matrix is ever stored.
public enum RetrievalRanks {
    /// The rank of each query's best positive in the gallery, the first being 1.
    ///
    /// A gallery row that scores exactly as high as the best positive counts as before it, so that a model which maps
    /// everything to one point ranks last and not first. A query's other positives never count against it.
    ///
    /// - Parameters:
    ///   - queries: unit vectors `[queries, width]`.
    ///   - gallery: unit vectors `[gallery, width]`.
    ///   - positives: for each query the gallery rows that belong to it, at least one, each once.
    ///   - blockSize: queries scored at once.
    public static func compute(
        queries: Tensor, gallery: Tensor, positives: [[Int]], blockSize: Int = 512
    ) -> [Int] {
        precondition(queries.shape[0] == positives.count, "every query needs its positives")
        return withoutGradient {
            let columns = gallery.transposed(0, 1)
            return stride(from: 0, to: positives.count, by: blockSize).flatMap { start in
                let block = positives[start..<min(start + blockSize, positives.count)]
                let scores = queries.sliced(axis: 0, from: start, to: start + block.count).matmul(columns)  // [b, G]
                let most = block.map(\.count).max() ?? 1
                // Rows with fewer positives than the most repeat their first one; [b, most].
                let padded = block.flatMap { own in own + Array(repeating: own[0], count: most - own.count) }
                let own = scores.gathered(axis: 1, Tensor(padded, shape: [block.count, most]))
                let best = own.maximum(axis: 1, keepingAxes: true).values
                // What does not score lower counts as before it, which a score that is not a number does not either.
                let after = scores.less(than: best).to(.int64).sum(axes: [1]).scalars(as: Int.self)
                let count = scores.shape[1]
                // The best positive and those that tie with it do not stand before it.
                let ownValues = own.scalars(as: Float.self), bestValues = best.scalars(as: Float.self)
                return zip(after, block).enumerated().map { row, pair in
                    let tied = pair.1.indices.count { !(ownValues[row * most + $0] < bestValues[row]) }
                    return count - pair.0 - tied + 1
                }
            }
        }
    }
}
