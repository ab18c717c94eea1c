import ConcordCore

/// A Swift type whose values are elements of a tensor.
public protocol TensorScalar: BitwiseCopyable {
    static var dtype: DType { get }
}

extension Double: TensorScalar { public static var dtype: DType { .float64 } }
extension Float: TensorScalar { public static var dtype: DType { .float32 } }
#if !(os(macOS) && arch(x86_64))
    extension Float16: TensorScalar { public static var dtype: DType { .float16 } }
#endif
extension Int64: TensorScalar { public static var dtype: DType { .int64 } }
extension Int: TensorScalar { public static var dtype: DType { .int64 } }
extension Int32: TensorScalar { public static var dtype: DType { .int32 } }
extension UInt8: TensorScalar { public static var dtype: DType { .uint8 } }
extension Bool: TensorScalar { public static var dtype: DType { .bool } }

extension DType {
    /// The number of libtorch's scalar type.
    var code: Int32 {
        switch self {
        case .uint8: 0
        case .int32: 3
        case .int64: 4
        case .float16: 5
        case .float32: 6
        case .float64: 7
        case .bool: 11
        case .bfloat16: 15
        }
    }

    init?(code: Int32) {
        guard let dtype = DType.allCases.first(where: { $0.code == code }) else { return nil }
        self = dtype
    }
}

/// The reduction of a loss over many elements to one number.
public enum Reduction: Int, Sendable {
    /// One loss for each element.
    case none = 0
    case mean = 1
    case sum = 2
}
