/// A set of operations, and the version of it that this package writes.
public enum OnnxDomain: String, Hashable, Sendable, CaseIterable {
    /// ONNX's own, opset 17: the first with LayerNormalization, and old enough for every ONNX Runtime since 1.14.
    case onnx = ""
    /// The fused operations of ONNX Runtime: attention, QuickGelu, MatMulNBits.
    case microsoft = "com.microsoft"

    public var version: Int {
        switch self {
        case .onnx: 17
        case .microsoft: 1
        }
    }
}
