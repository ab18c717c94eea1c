import ConcordCore
import ConcordTensor

/// Triplets as places in a batch: row `i` of the three tensors is one triplet.
public struct TripletIndices {
    /// int64 `[count]`.
    public let anchors: Tensor
    /// int64 `[count]`.
    public let positives: Tensor
    /// int64 `[count]`.
    public let negatives: Tensor

    public init(anchors: Tensor, positives: Tensor, negatives: Tensor) {
        self.anchors = anchors
        self.positives = positives
        self.negatives = negatives
    }

    /// How many triplets there are.
    public var count: Int { anchors.size(0) }
}

extension TripletIndices: MinedIndices {
    public init(joining parts: [TripletIndices]) {
        self.init(
            anchors: Tensor.concatenated(parts.map(\.anchors)), positives: Tensor.concatenated(parts.map(\.positives)),
            negatives: Tensor.concatenated(parts.map(\.negatives)))
    }
}
