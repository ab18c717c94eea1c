import ConcordONNX
import ConcordTensor

/// A tensor of the recorded model, as both recordings saw it, and where it is in the graph.
final class RecordedValue {
    let first, second: Tensor
    /// Where it is in the graph; nil for a constant that no node has used yet.
    var edge: OnnxEdge?
    /// Whether it is the same in every run.
    let isConstant: Bool
    var origin = Origin.other

    /// What is known of how a value came about, for what can be written as one operation.
    enum Origin {
        case other
        /// `[B, T, C]` seen as `[B, T, H, D]`.
        case splitHeads(OnnxEdge)
        /// `[B, T, C]` seen as `[B, H, T, D]`.
        case heads(OnnxEdge)
        /// Keys or values `[B, H, P, D]` with those of new tokens, `[B, T, C]`, behind them: `[B, H, P + T, D]`.
        case appended(past: RecordedValue, new: OnnxEdge)
        /// The places of tokens, rising by 1 from `start`: `[T]`, and as a column `[T, 1]`.
        case places(start: SymbolicLength), placeColumn(start: SymbolicLength)
        /// Where a place is not behind that of the token that looks, the first of which is at `start`: `[T, start + T]`.
        case causalMask(start: SymbolicLength)
        /// Attention's result, `[B, T, C]` seen as `[B, H, T, D]`.
        case attended(OnnxEdge)
        /// The same, seen as `[B, T, H, D]`.
        case attendedTokens(OnnxEdge)
        /// Patches `[B, T, C]` seen as a picture `[B, C, h, w]`, and that as `[B, C, T]`.
        case patches(OnnxEdge), patchChannels(OnnxEdge)
        /// A value times a number.
        case scaled(RecordedValue, Double)
        /// The logistic function of a value times a number.
        case sigmoid(RecordedValue, Double)
    }

    init(_ first: Tensor, _ second: Tensor, edge: OnnxEdge?, isConstant: Bool) {
        self.first = first
        self.second = second
        self.edge = edge
        self.isConstant = isConstant
    }
}
