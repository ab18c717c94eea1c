import ConcordCore
import ConcordTensor
import Foundation

/// What the embeddings of a batch look like: whether pairs find each other, how near they are, and how all are spread.
///
/// It is measured a block of rows at a time, in O(count · width + rows · count) memory, and without gradients.
public struct ContrastiveReport: Sendable, Hashable {
    /// Samples in the batch.
    public let count: Int
    /// The share of first embeddings for which a positive scores at least as high as every other second embedding,
    /// 0...1; a tie is a hit. NaN where there are embeddings that are not finite.
    public let firstAccuracy: Double
    /// The same with the sides exchanged.
    public let secondAccuracy: Double
    /// Mean cosine of the positives.
    public let positiveCosine: Double
    /// Mean cosine of all other pairs; NaN where there are none.
    public let negativeCosine: Double
    /// How often the positives have which cosine; nil unless asked for.
    public let positiveHistogram: CosineHistogram?
    /// The same of all other pairs.
    public let negativeHistogram: CosineHistogram?
    /// How each side is spread.
    public let first, second: EmbeddingSpread
    /// How many embeddings of both sides hold a value that is not finite.
    public let nonFiniteCount: Int

    /// The mean of both accuracies.
    public var accuracy: Double { (firstAccuracy + secondAccuracy) / 2 }
    /// `ln count`: InfoNCE of a model that guesses.
    public var lnN: Double { log(Double(count)) }
    /// The mean of ‖x − y‖² over the positives (Wang & Isola 2020, with their α of 2): 0 when they coincide, at most 4.
    public var alignment: Double { 2 - 2 * positiveCosine }

    /// Measures a batch.
    ///
    /// - Parameters:
    ///   - first: embeddings `[count, width]` of a floating-point type; they are normalised here.
    ///   - second: likewise; row `i` belongs to row `i` of `first`.
    ///   - labels: int64 `[count]`; pairs of samples with the same label are positives, too.
    ///   - bins: how many bins the histograms have; 0 makes none.
    ///   - blockRows: rows whose scores are in memory at a time.
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, or `.invalidArgument` for bins or rows that cannot
    ///   be. Values that are not finite do not throw: ``nonFiniteCount`` counts them.
    public init(
        _ first: Tensor, _ second: Tensor, labels: Tensor? = nil, bins: Int = 0,
        blockRows: Int = ScorePlan.defaultRows
    ) throws(ConcordError) {
        try LossInput.checkVectors(first, "first")
        try LossInput.checkVectors(second, "second")
        try LossInput.checkAlike(first, "first", second, "second")
        try LossInput.checkNotEmpty(first, "first")
        if let labels { try LossInput.checkLabels(labels, "labels", of: first, "first") }
        guard (0...1_000_000).contains(bins), blockRows > 0 else {
            throw ConcordError(
                .invalidArgument,
                "bins is \(bins) and blockRows \(blockRows); they must be in 0...1,000,000 and at least 1")
        }
        self = withoutGradient {
            withFullPrecision(on: first.device) {
                ContrastiveReport(
                    unit: first.detached().precise.unitVectors, second.detached().precise.unitVectors, labels: labels,
                    bins: bins, blockRows: blockRows)
            }
        }
    }

    private init(unit first: Tensor, _ second: Tensor, labels: Tensor?, bins: Int, blockRows: Int) {
        count = first.size(0)
        nonFiniteCount = [first, second].reduce(0) { sum, side in
            sum + Int(side.isFinite().all(axis: 1).logicalNot().sum().item())
        }
        let isFinite = nonFiniteCount == 0
        // What is not a number stands in no bin.
        let scores = PairScores(first, second, labels: labels, bins: isFinite ? bins : 0, blockRows: blockRows)
        firstAccuracy = isFinite ? scores.firstHits / Double(count) : .nan
        secondAccuracy = isFinite ? scores.secondHits / Double(count) : .nan
        positiveCosine = scores.positiveSum / scores.positiveCount
        negativeCosine = scores.negativeSum / scores.negativeCount
        positiveHistogram = scores.positiveHistogram
        negativeHistogram = scores.negativeHistogram
        self.first = EmbeddingSpread(first, blockRows: blockRows)
        self.second = EmbeddingSpread(second, blockRows: blockRows)
    }
}
