/// The element type of a tensor, in memory and in a checkpoint.
public enum DType: String, Hashable, Sendable, CaseIterable {
    case float64, float32, bfloat16, float16, int64, int32, uint8, bool

    /// Bytes per element.
    public var byteCount: Int {
        switch self {
        case .float64, .int64: 8
        case .float32, .int32: 4
        case .bfloat16, .float16: 2
        case .uint8, .bool: 1
        }
    }

    /// Whether gradients can flow through values of this type.
    public var isFloatingPoint: Bool {
        switch self {
        case .float64, .float32, .bfloat16, .float16: true
        case .int64, .int32, .uint8, .bool: false
        }
    }
}
