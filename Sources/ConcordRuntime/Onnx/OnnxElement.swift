/// A Swift type that tensors hold as it is.
///
/// `float16` and `bfloat16` have no Swift type on every platform; their values are made from and read as bytes.
public protocol OnnxElement: BitwiseCopyable, Sendable {
    static var onnxElementType: OnnxElementType { get }
}

extension Float: OnnxElement { public static var onnxElementType: OnnxElementType { .float32 } }
extension Double: OnnxElement { public static var onnxElementType: OnnxElementType { .float64 } }
extension Int64: OnnxElement { public static var onnxElementType: OnnxElementType { .int64 } }
extension Int32: OnnxElement { public static var onnxElementType: OnnxElementType { .int32 } }
extension Int8: OnnxElement { public static var onnxElementType: OnnxElementType { .int8 } }
extension UInt8: OnnxElement { public static var onnxElementType: OnnxElementType { .uint8 } }
extension Bool: OnnxElement { public static var onnxElementType: OnnxElementType { .bool } }
