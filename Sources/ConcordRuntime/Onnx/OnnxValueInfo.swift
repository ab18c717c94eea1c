import COnnxRuntime

/// What a model says of one of its inputs or outputs.
public struct OnnxValueInfo: Hashable, Sendable, CustomStringConvertible {
    public let name: String
    /// Nil for what this package cannot give or take, such as texts or sequences.
    public let elementType: OnnxElementType?
    /// The lengths of its axes; empty for a single number, and for a model that does not say.
    public let shape: [OnnxDimension]

    init(_ info: cort_value_info) {
        name = String(cString: info.name)
        elementType = OnnxElementType(rawValue: info.element_type)
        shape = (0..<info.rank).map { axis in
            let length = info.dimensions[axis]
            guard length < 0 else { return .fixed(Int(length)) }
            return .symbol(info.symbols[axis].map { String(cString: $0) } ?? "")
        }
    }

    public var description: String {
        let lengths = shape.map(\.description).joined(separator: ", ")
        return "\(name): \(elementType?.description ?? "unsupported")[\(lengths)]"
    }
}
