import ConcordCore
import ConcordTensor
import Foundation

/// Triplets with a wide angle at the negative (Wang et al. 2017, "Deep Metric Learning with Angular Loss"):
/// `atan(‖a − p‖ / (2 · ‖n − c‖))` is above a limit, where c is midway between anchor and positive.
///
/// As in PyTorch Metric Learning's `AngularMiner`, embeddings are compared as they are, and 1e-6 is added to each
/// difference. Time grows with positive pairs · candidates · width.
public struct AngularMiner: Miner, Hashable, Sendable {
    /// The limit in degrees.
    public let angle: Double

    /// - Parameter angle: in degrees, at least 0. No triplet is at 90 or more.
    /// - Throws: `.invalidArgument` unless the angle is finite and at least 0.
    public init(angle: Double = 20) throws(ConcordError) {
        try LossInput.checkNumber(angle, "angle", 0...)
        self.angle = angle
    }

    public func mine(rows: Tensor, columns: Tensor, block: RowBlock) -> TripletIndices {
        let pairs = BlockPairs(block, columns: columns)
        let distance = EmbeddingDistance.euclidean()
        let parts = PositivePairs.parts(pairs).map { part in
            let anchors = rows.indexSelected(axis: 0, part.rows)  // [pairs, width]
            let positives = columns.indexSelected(axis: 0, part.columns)
            let apart = distance.paired(anchors, positives).unsqueezed(1)  // [pairs, 1]
            // The negative less the centre, plus 1e-6.
            let toCentre = distance.matrix((anchors + positives) / 2 - 1e-6, columns)  // [pairs, columns]
            let wide = (apart / (toCentre * 2)).atan().greater(than: angle * Double.pi / 180)
            return part.triplets(pairs.negatives.indexSelected(axis: 0, part.rows).logicalAnd(wide), block)
        }
        return TripletIndices(joining: [.none(like: rows)] + parts)
    }
}

extension Tensor {
    fileprivate func atan() -> Tensor { Tensor.callOperator("aten::atan", [.tensor(self)])[0] }
}
