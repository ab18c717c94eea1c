import ConcordCore
import ConcordTensor

/// What the losses over pairs with scores share.
enum ScoreRanking {
    /// - Throws: what is wrong with the pairs, their scores or the factor.
    static func check(_ first: Tensor, _ second: Tensor, scores: Tensor, scale: Double) throws(ConcordError) {
        try LossInput.checkPositive(scale, "scale")
        try LossInput.checkEmbeddings(first, "first")
        try LossInput.checkEmbeddings(second, "second")
        try LossInput.checkAlike(first, "first", second, "second")
        try LossInput.checkScores(scores, "scores", shape: [first.size(0)], of: first, "first")
    }

    /// `log(1 + Σ exp(similarity of i - similarity of j))` over all `i`, `j` where the score of `j` is the higher.
    ///
    /// The pairs of pairs are never stored: sorted by score, all `j` of an `i` are a tail of the list, whose summed
    /// exponentials one running sum from the end has ready.
    ///
    /// - Parameters:
    ///   - similarities: `[pairs]`, with the factor on them.
    ///   - scores: `[pairs]`.
    static func loss(similarities: Tensor, scores: Tensor) -> Tensor {
        let (sortedScores, order) = scores.detached().sorted(axis: 0)
        let ranked = similarities.indexSelected(axis: 0, order)
        // The first place whose score is higher, which is past the end for the highest ones.
        let tails = Tensor.callOperator(
            "aten::searchsorted.Tensor",
            [.tensor(sortedScores), .tensor(sortedScores.contiguous()), .bool(false), .bool(true)])[0]
        let running = Tensor.callOperator("aten::logcumsumexp", [.tensor((-ranked).flipped(axes: [0])), .int(0)])[0]
        let nothing = Tensor.full([1], -.infinity, dtype: ranked.dtype, device: ranked.device)
        let tailSums = Tensor.concatenated([running.flipped(axes: [0]), nothing], axis: 0).indexSelected(axis: 0, tails)
        let one = Tensor.zeros([1], dtype: ranked.dtype, device: ranked.device)
        return Tensor.concatenated([one, ranked + tailSums], axis: 0).logSumExp(axes: [0])
    }
}
