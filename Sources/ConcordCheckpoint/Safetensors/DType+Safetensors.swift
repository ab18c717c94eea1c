import ConcordCore

extension DType {
    /// The name of this type in a safetensors header.
    public var safetensorsName: String {
        switch self {
        case .float64: "F64"
        case .float32: "F32"
        case .bfloat16: "BF16"
        case .float16: "F16"
        case .int64: "I64"
        case .int32: "I32"
        case .uint8: "U8"
        case .bool: "BOOL"
        }
    }

    /// The type that a safetensors header calls `name`; nil for those that the tensor engine lacks.
    public init?(safetensorsName name: String) {
        guard let type = DType.allCases.first(where: { $0.safetensorsName == name }) else { return nil }
        self = type
    }

    /// Where tensors of this type stand in a file of the reference library: widest elements first, so that every
    /// tensor begins at a multiple of its element size.
    var safetensorsRank: Int {
        switch self {
        case .int64: 0
        case .float64: 1
        case .float32: 2
        case .int32: 3
        case .bfloat16: 4
        case .float16: 5
        case .uint8: 6
        case .bool: 7
        }
    }
}

/// The bytes that a tensor of this type and shape takes; nil when a size is negative or the product overflows.
func byteCount(of dtype: DType, shape: [Int]) -> Int? {
    var count = dtype.byteCount
    for size in shape {
        let (product, overflow) = count.multipliedReportingOverflow(by: size)
        guard size >= 0, !overflow else { return nil }
        count = product
    }
    return count
}
