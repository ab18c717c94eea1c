import ConcordCore
import ConcordTensor
import Foundation

/// A diagnosis of a batch's embeddings: retrieval accuracy, alignment of pairs, and spread.
///
/// It is measured a block of rows at a time, in O(count · width + rows · count) memory, and without gradients.
public struct ContrastiveReport: Sendable, Hashable {
    /// Samples in the batch.
    package let count: Int
    /// The share of first embeddings for which a positive scores at least as high as every other second embedding,
    /// 0...1; a tie is a hit. NaN if an embedding has NaN or infinity.
    public let firstAccuracy: Double
    /// The accuracy with the sides swapped.
    public let secondAccuracy: Double
    /// Mean cosine of the positives.
    public let positiveCosine: Double
    /// Mean cosine of all other pairs; NaN where there are none.
    public let negativeCosine: Double
    /// The histogram of the positives' cosines; nil unless requested.
    public let positiveHistogram: CosineHistogram?
    /// The histogram of all other pairs; nil unless requested.
    public let negativeHistogram: CosineHistogram?
    /// The spread of each side.
    public let first, second: EmbeddingSpread
    /// The number of embeddings of both sides with NaN or infinity.
    package let nonFiniteCount: Int

    /// The mean of both accuracies.
    public var accuracy: Double { (firstAccuracy + secondAccuracy) / 2 }
    /// `ln count`: InfoNCE of a model that guesses.
    public var lnN: Double { log(Double(count)) }
    /// The mean of ‖x − y‖² over the positives (Wang & Isola 2020, with their α of 2): 0 when they coincide, at most 4.
    public var alignment: Double { 2 - 2 * positiveCosine }

    /// Measures a batch.
    ///
    /// - Parameters:
    ///   - first: embeddings `[count, width]` of a floating-point type; they are normalized here.
    ///   - second: likewise; row `i` belongs to row `i` of `first`.
    ///   - labels: int64 `[count]`; pairs of samples with the same label are positives, too.
    ///   - bins: number of bins of the histograms; 0 makes none.
    ///   - blockRows: rows whose scores are in memory at a time.
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, or `.invalidArgument` for bins or rows out
    ///   of range. NaN and infinity do not throw: ``nonFiniteCount`` counts them.
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

extension ContrastiveReport {
    /// Problems of the embeddings, each with advice; empty if there are none.
    public var warnings: [String] { warnings().map(\.message) }

    /// Problems of the embeddings and of a loss.
    ///
    /// New towers put all inputs near one point and guess, so check after the first steps.
    ///
    /// - Parameters:
    ///   - loss: InfoNCE of the batch, compared with ``lnN``; nil for other losses.
    ///   - firstName: name of the first embeddings in messages.
    ///   - secondName: name of the second embeddings in messages.
    package func warnings(
        loss: Double? = nil, firstName: String = "first", secondName: String = "second"
    ) -> [EmbeddingWarning] {
        guard nonFiniteCount == 0 else {
            return [
                EmbeddingWarning(
                    kind: .nonFinite,
                    message: "\(nonFiniteCount) of \(2 * count) embeddings have NaN or infinity; train with a lower "
                        + "learning rate or a gradient clip, from an earlier checkpoint, and check the inputs for NaN"
                )
            ]
        }
        var warnings = [EmbeddingWarning]()
        for (name, spread) in [(firstName, first), (secondName, second)] where spread.uniformity > -0.1 {
            warnings.append(
                EmbeddingWarning(
                    kind: .collapse,
                    message: "the \(name) embeddings have collapsed: two of them have a cosine of "
                        + "\(Self.text(spread.meanCosine)) on average, and their uniformity is "
                        + "\(Self.text(spread.uniformity)), where 0 is a single point. Lower the learning rate, lengthen "
                        + "the warm-up, or raise the batch size; with triplets, mine semi-hard ones instead of the hardest"
                ))
        }
        if let loss, count > 1, loss > 0.98 * lnN {
            warnings.append(
                EmbeddingWarning(
                    kind: .guessing,
                    message: "the loss is \(Self.text(loss)) and guessing among \(count) costs ln \(count) = "
                        + "\(Self.text(lnN)): nothing is learned. Check that each pair belongs together and that the "
                        + "towers train, and try another learning rate"))
        }
        if positiveCosine <= negativeCosine {
            warnings.append(
                EmbeddingWarning(
                    kind: .noAlignment,
                    message: "pairs have a cosine of \(Self.text(positiveCosine)) on average and all others "
                        + "\(Self.text(negativeCosine)): pairs are no nearer than the rest. Check that each pair belongs "
                        + "together, and try another learning rate"))
        }
        return warnings
    }

    private static func text(_ value: Double) -> String { String((value * 1000).rounded() / 1000) }
}

/// A sign that a contrastive training does not learn, and what to do about it.
public struct EmbeddingWarning: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Embeddings that are not numbers.
        case nonFinite
        /// The embeddings of one side are all but one point.
        case collapse
        /// The loss is that of guessing.
        case guessing
        /// Pairs that belong together are no nearer than others.
        case noAlignment
    }

    public let kind: Kind
    public let message: String
}

/// Counts and sums over the cosines between all first and all second embeddings.
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
            let positives = rows.pairs(with: second).positives
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
