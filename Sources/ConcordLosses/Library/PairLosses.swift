import ConcordCore
import ConcordTensor

/// The contrastive loss (Hadsell, Chopra & LeCun 2006), after pytorch_metric_learning's `ContrastiveLoss`: positives
/// are pulled to within one margin, negatives pushed beyond another.
///
/// With a distance `d`, positive pairs cost `max(0, d - positiveMargin)` and negative pairs
/// `max(0, negativeMargin - d)`; with a scalar product the signs are turned. The loss is the mean of the positive terms
/// that are above zero plus the mean of the negative terms that are above zero.
///
/// - Parameters:
///   - embeddings: `[count, width]`, of any floating-point type, computed in at least float32.
///   - labels: int64 `[count]`; pairs of equal labels are positives.
///   - reference: `[columns, width]`, the embeddings to compare with, such as ``EmbeddingQueue/embeddings``; nil
///     compares the embeddings with each other, none with itself.
///   - referenceLabels: int64 `[columns]`, given with `reference`.
///   - ownRows: int64 `[count]`, the row of `reference` that is the embedding itself and is left out, or -1; nil leaves
///     none out. See ``EmbeddingQueue/enqueue(_:labels:)``.
///   - measure: the measure that the margins apply to.
///   - positiveMargin: by default 0 for distances and 1 for scalar products.
///   - negativeMargin: by default 1 for distances and 0 for scalar products.
///   - normalizing: whether embeddings are normalized first.
/// - Returns: the loss, `[]`; 0 with zero gradients where there is no pair. Unlike in the peer, which treats a batch
///   with at most one positive and one negative pair as empty, a single pair with a reference counts.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue` or `.invalidArgument`.
public func contrastiveLoss(
    embeddings: Tensor, labels: Tensor, reference: Tensor? = nil, referenceLabels: Tensor? = nil,
    ownRows: Tensor? = nil, measure: PairMeasure = .euclideanDistance, positiveMargin: Double? = nil,
    negativeMargin: Double? = nil, normalizing: Bool = true
) throws(ConcordError) -> Tensor {
    let positiveMargin = positiveMargin ?? (measure == .dotProduct ? 1 : 0)
    let negativeMargin = negativeMargin ?? (measure == .dotProduct ? 0 : 1)
    try LossInput.checkFiniteNumber(positiveMargin, "positiveMargin")
    try LossInput.checkFiniteNumber(negativeMargin, "negativeMargin")
    let pairs = try LabeledPairs(
        embeddings: embeddings, labels: labels, reference: reference, referenceLabels: referenceLabels,
        ownRows: ownRows, normalizing: normalizing)

    return try finiteLoss(on: embeddings.device) {
        let positiveExcess: Tensor, negativeExcess: Tensor  // [rows, columns]
        switch measure {
        case .euclideanDistance:
            let distances = pairs.distances
            positiveExcess = distances - positiveMargin
            negativeExcess = negativeMargin - distances
        case .dotProduct:
            let products = pairs.products
            positiveExcess = positiveMargin - products
            negativeExcess = products - negativeMargin
        }
        return LabeledPairs.meanOfNonZero(positiveExcess.relu(), where: pairs.positives)
            + LabeledPairs.meanOfNonZero(negativeExcess.relu(), where: pairs.negatives)
    }
}

/// The measure by which a loss compares two embeddings.
public enum PairMeasure: Hashable, Sendable {
    /// The Euclidean distance, 0...2 between unit vectors; its gradient at 0 is 0.
    case euclideanDistance
    /// The scalar product: the cosine of unit vectors, -1...1.
    case dotProduct
}

/// The circle loss (Sun et al. 2020) with pairwise labels, after pytorch_metric_learning's `CircleLoss`: every cosine
/// is weighted by how far it is from its optimum.
///
/// With cosines `s`, a row costs
/// `softplus(log Σₙ exp(γ [sₙ + m]₊ (sₙ - m)) + log Σₚ exp(-γ [1 + m - sₚ]₊ (sₚ - 1 + m)))`, where the weights in
/// square brackets carry no gradient. The loss is the mean over the rows that have both a positive and a negative and
/// whose term is above zero.
///
/// - Parameters:
///   - embeddings: `[count, width]` of any floating-point type, computed in at least float32; they are normalized.
///   - labels: int64 `[count]`; pairs of equal labels are positives.
///   - reference: `[columns, width]`, the embeddings to compare with; nil compares the embeddings with each other, none
///     with itself.
///   - referenceLabels: int64 `[columns]`, given with `reference`.
///   - ownRows: int64 `[count]`, the row of `reference` that is the embedding itself and is left out, or -1.
///   - margin: `m`, the relaxation: 0.4 for retrieval, 0.25 for faces and persons.
///   - scale: `γ`, above 0: 80 for retrieval, 128 for persons, 256 for faces.
/// - Returns: the loss, `[]`; 0 with zero gradients where no row has both a positive and a negative.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue` or `.invalidArgument`.
public func circleLoss(
    embeddings: Tensor, labels: Tensor, reference: Tensor? = nil, referenceLabels: Tensor? = nil,
    ownRows: Tensor? = nil, margin: Double = 0.4, scale: Double = 80
) throws(ConcordError) -> Tensor {
    try LossInput.checkFiniteNumber(margin, "margin")
    try LossInput.checkPositive(scale, "scale")
    let pairs = try LabeledPairs(
        embeddings: embeddings, labels: labels, reference: reference, referenceLabels: referenceLabels,
        ownRows: ownRows, normalizing: true)

    return try finiteLoss(on: embeddings.device) {
        let cosines = pairs.products  // [rows, columns]
        let fixed = cosines.detached()
        let positiveTerms = (1 + margin - fixed).relu() * (cosines - (1 - margin)) * -scale
        let negativeTerms = (fixed + margin).relu() * (cosines - margin) * scale
        let rows =
            (LabeledPairs.logSumExp(positiveTerms, where: pairs.positives)
            + LabeledPairs.logSumExp(negativeTerms, where: pairs.negatives)).softplus()
        let hasBoth = pairs.positives.any(axis: 1).logicalAnd(pairs.negatives.any(axis: 1))
        return LabeledPairs.meanOfNonZero(rows, where: hasBoth)
    }
}

/// The multi-similarity loss (Wang et al. 2019), after pytorch_metric_learning's `MultiSimilarityLoss`, without its
/// miner.
///
/// With cosines `s`, a row costs `log(1 + Σₚ exp(-α (sₚ - λ))) / α + log(1 + Σₙ exp(β (sₙ - λ))) / β`. The loss is the
/// mean over all rows; a row without positives or negatives lacks that part.
///
/// - Parameters:
///   - embeddings: `[count, width]` of any floating-point type, computed in at least float32; they are normalized.
///   - labels: int64 `[count]`; pairs of equal labels are positives.
///   - reference: `[columns, width]`, the embeddings to compare with; nil compares the embeddings with each other, none
///     with itself.
///   - referenceLabels: int64 `[columns]`, given with `reference`.
///   - ownRows: int64 `[count]`, the row of `reference` that is the embedding itself and is left out, or -1.
///   - alpha: the weight of positives in the exponent, above 0.
///   - beta: the weight of negatives in the exponent, above 0.
///   - base: `λ`, the cosine between positives and negatives.
/// - Returns: the loss, `[]`; 0 with zero gradients where there is no pair. Unlike in the peer, which treats a batch
///   with at most one positive and one negative pair as empty, a single pair with a reference counts.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue` or `.invalidArgument`.
public func multiSimilarityLoss(
    embeddings: Tensor, labels: Tensor, reference: Tensor? = nil, referenceLabels: Tensor? = nil,
    ownRows: Tensor? = nil, alpha: Double = 2, beta: Double = 50, base: Double = 0.5
) throws(ConcordError) -> Tensor {
    try LossInput.checkPositive(alpha, "alpha")
    try LossInput.checkPositive(beta, "beta")
    try LossInput.checkFiniteNumber(base, "base")
    let pairs = try LabeledPairs(
        embeddings: embeddings, labels: labels, reference: reference, referenceLabels: referenceLabels,
        ownRows: ownRows, normalizing: true)

    return try finiteLoss(on: embeddings.device) {
        let excess = pairs.products - base  // [rows, columns]
        let zero = Tensor.zeros([], dtype: excess.dtype, device: excess.device)
        // The zero is the one inside the logarithm; it is also all that a row without such pairs has.
        let positiveTerms = LabeledPairs.logSumExp(excess * -alpha, where: pairs.positives).logAddExp(zero) / alpha
        let negativeTerms = LabeledPairs.logSumExp(excess * beta, where: pairs.negatives).logAddExp(zero) / beta
        return (positiveTerms + negativeTerms).mean()
    }
}

/// The N-pairs loss (Sohn 2016), after pytorch_metric_learning's `NPairsLoss`: one pair of every class, each anchor
/// against the positives of the other classes.
///
/// The first two embeddings of each class that has two are its anchor and its positive; other embeddings take no part.
/// The loss is the mean over these classes of the cross-entropy of the anchor's scalar products with all positives.
///
/// - Parameters:
///   - embeddings: `[count, width]`, of any floating-point type, computed in at least float32.
///   - labels: int64 `[count]`.
///   - normalizing: whether embeddings are normalized first, as the peer does; the paper compares by plain scalar
///     products.
/// - Returns: the loss, `[]`; 0 with zero gradients where no class has two embeddings.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch` or `.nonFiniteValue`.
public func nPairsLoss(
    embeddings: Tensor, labels: Tensor, normalizing: Bool = true
) throws(ConcordError) -> Tensor {
    try LossInput.checkEmbeddings(embeddings, "embeddings")
    try LossInput.checkLabels(labels, "labels", of: embeddings, "embeddings")
    let pairs = firstPairs(of: labels.scalars(as: Int.self))

    return try finiteLoss(on: embeddings.device) {
        let vectors = embeddings.precise
        guard !pairs.isEmpty else { return (vectors * 0).sum() }
        let prepared = normalizing ? vectors.unitVectors : vectors
        let device = embeddings.device
        let anchors = prepared.indexSelected(axis: 0, Tensor(pairs.map(\.anchor), device: device))
        let positives = prepared.indexSelected(axis: 0, Tensor(pairs.map(\.positive), device: device))
        let products = anchors.matmul(positives.transposed(0, 1))  // [classes, classes]
        return Tensor.crossEntropy(products, targets: .arange(Double(pairs.count), device: device))
    }
}

/// The places of the first two equal labels of every class that has two.
private func firstPairs(of labels: [Int]) -> [(anchor: Int, positive: Int)] {
    var pairs: [(anchor: Int, positive: Int)] = []
    var anchors: [Int: Int] = [:]
    var paired: Set<Int> = []
    for (place, label) in labels.enumerated() where !paired.contains(label) {
        if let anchor = anchors[label] {
            pairs.append((anchor, place))
            paired.insert(label)
        } else {
            anchors[label] = place
        }
    }
    return pairs
}

/// All pairs of a labeled batch with the columns that it is compared with.
struct LabeledPairs {
    private let rowVectors: Tensor
    private let columnVectors: Tensor
    /// Pairs of equal labels, apart from an embedding with itself: boolean `[rows, columns]`.
    let positives: Tensor
    /// Pairs of different labels: boolean `[rows, columns]`.
    let negatives: Tensor

    /// - Parameter ownRows: int64 `[rows]`, the column that holds the row itself, or -1.
    init(
        embeddings: Tensor, labels: Tensor, reference: Tensor?, referenceLabels: Tensor?, ownRows: Tensor?,
        normalizing: Bool
    ) throws(ConcordError) {
        try LossInput.checkEmbeddings(embeddings, "embeddings")
        try LossInput.checkLabels(labels, "labels", of: embeddings, "embeddings")
        try LossInput.checkReference(reference, labels: referenceLabels, ownRows: ownRows, of: embeddings)
        let prepared: (Tensor) -> Tensor = {
            let vectors = $0.precise
            return normalizing ? vectors.unitVectors : vectors
        }
        rowVectors = prepared(embeddings)
        columnVectors = reference.map(prepared) ?? rowVectors

        let device = embeddings.device
        let sameLabel = labels.unsqueezed(1).equal(to: (referenceLabels ?? labels).unsqueezed(0))
        let own =
            reference == nil ? Tensor.arange(Double(embeddings.size(0)), device: device) : ownRows
        guard let own else {
            positives = sameLabel
            negatives = sameLabel.logicalNot()
            return
        }
        let columns = Tensor.arange(Double(columnVectors.size(0)), device: device)
        let others = columns.unsqueezed(0).notEqual(to: own.unsqueezed(1))  // [rows, columns]
        positives = sameLabel.logicalAnd(others)
        negatives = sameLabel.logicalNot().logicalAnd(others)
    }

    /// Scalar products of rows and columns, `[rows, columns]`.
    var products: Tensor { rowVectors.matmul(columnVectors.transposed(0, 1)) }

    /// Euclidean distances of rows and columns, `[rows, columns]`.
    var distances: Tensor { rowVectors.pairwiseDistance(to: columnVectors) }

    /// The logarithm of the summed exponentials of each row's chosen columns, `[rows]`; far below all others, but
    /// finite, where a row has none.
    static func logSumExp(_ values: Tensor, where chosen: Tensor) -> Tensor {
        values.maskedFilled(chosen.logicalNot(), -1e30).logSumExp(axes: [1])
    }

    /// The mean of the chosen terms that are above zero; 0, without a gradient, where there are none.
    static func meanOfNonZero(_ terms: Tensor, where chosen: Tensor) -> Tensor {
        let counted = terms.greater(than: 0).logicalAnd(chosen).to(terms.dtype)
        return (terms * counted).sum() / counted.sum().clamped(min: 1)
    }
}
