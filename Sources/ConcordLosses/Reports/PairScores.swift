import ConcordTensor

/// What a pass over the cosines between all first and all second embeddings counts and adds up.
struct PairScores {
    private(set) var firstHits = 0.0, secondHits = 0.0
    private(set) var positiveSum = 0.0, positiveCount = 0.0
    private(set) var negativeSum = 0.0, negativeCount = 0.0
    private(set) var positiveHistogram, negativeHistogram: CosineHistogram?

    /// - Parameters:
    ///   - first: unit vectors `[count, width]`, at least float32.
    ///   - second: likewise.
    ///   - labels: int64 `[count]`.
    ///   - bins: of the histograms; 0 makes none.
    init(_ first: Tensor, _ second: Tensor, labels: Tensor?, bins: Int, blockRows: Int) {
        let count = first.size(0), columns = second.transposed(0, 1)
        if bins > 0 {
            positiveHistogram = CosineHistogram(bins: bins)
            negativeHistogram = CosineHistogram(bins: bins)
        }
        var best = Tensor.full([count], -.infinity, dtype: first.dtype, device: first.device)
        var bestPositive = best
        for start in stride(from: 0, to: count, by: blockRows) {
            let length = min(blockRows, count - start)
            let scores = first.narrowed(axis: 0, from: start, count: length).matmul(columns)  // [rows, count]
            let rows = RowBlock(
                rows: start..<start + length, rowLabels: labels?.narrowed(axis: 0, from: start, count: length),
                columnLabels: labels, comparesWithItself: false)
            let positives = rows.sameLabels ?? rows.ownColumns(count: count, device: first.device)
            let others = positives.logicalNot()

            let matched = scores.maskedFilled(others, -.infinity)
            firstHits += matched.max(axes: [1]).greaterOrEqual(to: scores.max(axes: [1])).sum().item()
            best = best.maximum(scores.max(axes: [0]))
            bestPositive = bestPositive.maximum(matched.max(axes: [0]))

            let marked = positives.sum().item()
            positiveCount += marked
            negativeCount += Double(length * count) - marked
            positiveSum += scores.maskedFilled(others, 0).sum().item()
            negativeSum += scores.maskedFilled(positives, 0).sum().item()
            guard bins > 0 else { continue }
            let places = CosineHistogram.bins(of: scores, count: bins), own = places.maskedSelected(positives)
            positiveHistogram?.add(bins: own)
            negativeHistogram?.add(bins: places)
            negativeHistogram?.add(bins: own, sign: -1)
        }
        secondHits = bestPositive.greaterOrEqual(to: best).sum().item()
    }
}
