import ConcordCore
import ConcordTensor

/// Every row of a labelled batch beside every column to compare it with, and which of these pairs are positives.
struct LabelledPairs {
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
