import COnnxRuntime
import ConcordCore

/// A dense tensor that goes into a model or comes out of it. Row-major; up to eight axes.
///
/// Copies share their memory, also that of outputs, so an output can be an input of the next run at no cost.
public struct OnnxValue: Sendable {
    public let elementType: OnnxElementType
    /// The length of each axis; empty for a single number.
    public private(set) var shape: [Int]
    private var memory: OnnxMemory

    /// A tensor of `values`, of the given shape. Throws `.shapeMismatch` when their number is another.
    public init<Element: OnnxElement>(_ values: [Element], shape: [Int]) throws(ConcordError) {
        try self.init(elementType: Element.onnxElementType, shape: shape, valueCount: values.count)
        values.withUnsafeBytes { memory.bytes.copyMemory(from: $0) }
    }

    /// A tensor of any type, from the bytes of its elements in this machine's order (little-endian on all that are
    /// supported). Throws `.shapeMismatch` when there are too many or too few.
    public init(
        bytes: UnsafeRawBufferPointer, elementType: OnnxElementType, shape: [Int]
    ) throws(ConcordError) {
        let (count, remainder) = bytes.count.quotientAndRemainder(dividingBy: elementType.byteCount)
        guard remainder == 0 else {
            throw ConcordError(
                .shapeMismatch, "\(bytes.count) bytes are not a whole number of \(elementType) elements")
        }
        try self.init(elementType: elementType, shape: shape, valueCount: count)
        memory.bytes.copyMemory(from: bytes)
    }

    /// A tensor of zeros. Throws `.shapeMismatch` for an impossible shape.
    public init(zeros elementType: OnnxElementType, shape: [Int]) throws(ConcordError) {
        try self.init(elementType: elementType, shape: shape, valueCount: nil)
        memory.bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    /// A tensor whose elements `body` writes, all of them. Throws `.shapeMismatch` for an impossible shape.
    package init<Element: OnnxElement>(
        of type: Element.Type, shape: [Int], filling body: (UnsafeMutableBufferPointer<Element>) -> Void
    ) throws(ConcordError) {
        try self.init(elementType: Element.onnxElementType, shape: shape, valueCount: nil)
        body(memory.bytes.bindMemory(to: Element.self))
    }

    /// Keeps the rows (lengths of the first axis) at `rows`, in that order.
    ///
    /// Rows that rise are moved to the front where they lie if no copy of this value shares the memory, so that it takes
    /// no more; others are copied.
    ///
    /// - Throws: `.shapeMismatch` for a value without axes; `.invalidArgument` for a row that it does not have.
    package mutating func select(rows: [Int]) throws(ConcordError) {
        guard let length = shape.first else {
            throw ConcordError(.shapeMismatch, "a single number has no rows to select")
        }
        for row in rows where row < 0 || row >= length {
            throw ConcordError(.invalidArgument, "row \(row) was selected of \(length) rows")
        }
        let stride = length == 0 ? 0 : memory.bytes.count / length
        let staysInPlace = zip(rows, rows.dropFirst()).allSatisfy(<) && isKnownUniquelyReferenced(&memory)
        let target = staysInPlace ? memory : OnnxMemory(count: rows.count * stride)
        for (place, row) in rows.enumerated() where stride > 0 && !(staysInPlace && place == row) {
            UnsafeMutableRawBufferPointer(rebasing: target.bytes[(place * stride)..<((place + 1) * stride)])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: memory.bytes[(row * stride)..<((row + 1) * stride)]))
        }
        if staysInPlace { memory.shorten(to: rows.count * stride) } else { memory = target }
        shape[0] = rows.count
    }

    private init(elementType: OnnxElementType, shape: [Int], valueCount: Int?) throws(ConcordError) {
        let count = try OnnxValue.count(of: shape, elementType)
        guard valueCount == nil || valueCount == count else {
            throw ConcordError(
                .shapeMismatch, "\(valueCount ?? 0) values do not fill the shape \(shape), which needs \(count)")
        }
        self.elementType = elementType
        self.shape = shape
        memory = OnnxMemory(count: count * elementType.byteCount)
    }

    /// An output of ONNX Runtime. Throws `.inference` when it is of a type that this package does not use.
    init(output: cort_tensor, named name: String, of runtime: OnnxRuntime) throws(ConcordError) {
        let memory = OnnxMemory(output: output, of: runtime)
        guard let elementType = OnnxElementType(rawValue: output.element_type) else {
            throw ConcordError(
                .inference,
                "the output '\(name)' has elements of ONNX's type \(output.element_type), which is not "
                    + "supported; use one of \(OnnxElementType.allCases.map(\.description).joined(separator: ", "))")
        }
        self.elementType = elementType
        self.memory = memory
        shape = Swift.withUnsafeBytes(of: output.shape) { bytes in
            bytes.bindMemory(to: Int64.self).prefix(output.rank).map { Int($0) }
        }
    }

    /// The number of elements of a shape, checked so that hostile numbers cannot overflow.
    private static func count(of shape: [Int], _ elementType: OnnxElementType) throws(ConcordError) -> Int {
        guard shape.count <= Int(CORT_MAXIMUM_RANK), shape.allSatisfy({ $0 >= 0 }) else {
            throw ConcordError(
                .shapeMismatch, "\(shape) is not a valid shape; use up to \(CORT_MAXIMUM_RANK) axes of length 0 or more"
            )
        }
        var count = elementType.byteCount
        for length in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: length)
            guard !overflow else { throw ConcordError(.shapeMismatch, "the shape \(shape) has too many elements") }
            count = product
        }
        return count / elementType.byteCount
    }

    /// The number of elements.
    public var count: Int { memory.bytes.count / elementType.byteCount }

    /// The elements, copied. Throws `.dtypeMismatch` when they are of another type.
    public func values<Element: OnnxElement>(of type: Element.Type = Element.self) throws(ConcordError) -> [Element] {
        guard elementType == Element.onnxElementType else {
            throw ConcordError(
                .dtypeMismatch, "a tensor of \(elementType) has no elements of \(Element.onnxElementType)")
        }
        return withUnsafeBytes { Array($0.bindMemory(to: Element.self)) }
    }

    /// The bytes of the elements. Valid only inside the closure.
    public func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { withExtendedLifetime(memory) {} }
        return try body(UnsafeRawBufferPointer(memory.bytes))
    }

    /// The same elements in another shape, without a copy. Throws `.shapeMismatch` when their number differs.
    public func reshaped(_ shape: [Int]) throws(ConcordError) -> OnnxValue {
        guard try OnnxValue.count(of: shape, elementType) == count else {
            throw ConcordError(.shapeMismatch, "\(count) values cannot take the shape \(shape)")
        }
        return OnnxValue(elementType: elementType, shape: shape, memory: memory)
    }

    private init(elementType: OnnxElementType, shape: [Int], memory: OnnxMemory) {
        self.elementType = elementType
        self.shape = shape
        self.memory = memory
    }

    /// The value as the C seam takes it. It has to stay alive meanwhile.
    var tensor: cort_tensor {
        var tensor = cort_tensor()
        tensor.data = memory.bytes.baseAddress
        tensor.byte_count = memory.bytes.count
        tensor.element_type = elementType.rawValue
        tensor.rank = shape.count
        Swift.withUnsafeMutableBytes(of: &tensor.shape) { bytes in
            for (axis, length) in shape.enumerated() {
                bytes.storeBytes(of: Int64(length), toByteOffset: axis * MemoryLayout<Int64>.size, as: Int64.self)
            }
        }
        return tensor
    }
}

/// The memory of a value: its own, or that of an output of ONNX Runtime.
///
/// `@unchecked Sendable`: nothing changes after `init` but what `OnnxValue` writes while it holds the only reference.
final class OnnxMemory: @unchecked Sendable {
    private(set) var bytes: UnsafeMutableRawBufferPointer
    private let release: @Sendable () -> Void

    /// Memory for `count` bytes, not yet set.
    init(count: Int) {
        // Aligned for the widest vector instructions; an empty value has an address, too.
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, 1), alignment: 64)
        self.bytes = UnsafeMutableRawBufferPointer(rebasing: bytes[..<count])
        nonisolated(unsafe) let address = bytes
        release = { address.deallocate() }
    }

    /// An output, which is released with this object.
    init(output: cort_tensor, of runtime: OnnxRuntime) {
        bytes = UnsafeMutableRawBufferPointer(start: output.data, count: output.byte_count)
        nonisolated(unsafe) let owner = output.owner
        release = { cort_release(runtime.handle, owner) }
    }

    /// Leaves out all but the first `count` bytes, which go with the others in the end.
    func shorten(to count: Int) { bytes = UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]) }

    deinit { release() }
}

/// The type of a tensor's elements, with ONNX's number for it.
public enum OnnxElementType: Int32, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    case float32 = 1
    case uint8 = 2
    case int8 = 3
    case int32 = 6
    case int64 = 7
    case bool = 9
    case float16 = 10
    case float64 = 11
    case bfloat16 = 16

    public init(_ dtype: DType) {
        self =
            switch dtype {
            case .float64: .float64
            case .float32: .float32
            case .bfloat16: .bfloat16
            case .float16: .float16
            case .int64: .int64
            case .int32: .int32
            case .uint8: .uint8
            case .bool: .bool
            }
    }

    /// Bytes per element.
    public var byteCount: Int {
        switch self {
        case .float64, .int64: 8
        case .float32, .int32: 4
        case .float16, .bfloat16: 2
        case .uint8, .int8, .bool: 1
        }
    }

    public var description: String {
        switch self {
        case .float32: "float32"
        case .uint8: "uint8"
        case .int8: "int8"
        case .int32: "int32"
        case .int64: "int64"
        case .bool: "bool"
        case .float16: "float16"
        case .float64: "float64"
        case .bfloat16: "bfloat16"
        }
    }
}

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
