import COnnxRuntime

/// The texts that a model file carries about itself.
package struct OnnxModelMetadata: Hashable, Sendable {
    package let producer: String
    package let graph: String
    package let description: String
    package let version: Int
    /// Whatever else its maker wrote, by key.
    package let entries: [String: String]

    init(_ metadata: cort_metadata) {
        func text(_ pointer: UnsafePointer<CChar>?) -> String { pointer.map { String(cString: $0) } ?? "" }
        producer = text(metadata.producer)
        graph = text(metadata.graph)
        description = text(metadata.description)
        version = Int(metadata.version)
        entries = Dictionary(
            (0..<metadata.entry_count).map { (text(metadata.keys[$0]), text(metadata.values[$0])) },
            uniquingKeysWith: { first, _ in first })
    }
}

extension OnnxModelMetadata {
    /// Under what a quantized model says how it was made: `int8`, with ranges of activations from a calibration, or
    /// `int8-weights`.
    package static let quantizationMethodKey = "concord.quantization"
    /// Under what a quantized model says how many bits its weights use: `8`, or `7` of a reduced range.
    package static let weightBitsKey = "concord.quantization.weight_bits"

    /// The bits of weights that are multiplied with other 8-bit numbers, 8 or 7; `nil` where no weights are.
    var multipliedWeightBits: Int? {
        guard entries[Self.quantizationMethodKey] == ArtifactManifest.Precision.int8.rawValue else { return nil }
        return entries[Self.weightBitsKey].flatMap { Int($0) }
    }
}

/// The description of one of a model's inputs or outputs.
package struct OnnxValueInfo: Hashable, Sendable, CustomStringConvertible {
    package let name: String
    /// `nil` for what this package cannot give or take, such as texts or sequences.
    package let elementType: OnnxElementType?
    /// The lengths of its axes; empty for a single number, and for a model that does not say.
    package let shape: [OnnxDimension]

    init(_ info: cort_value_info) {
        name = String(cString: info.name)
        elementType = OnnxElementType(rawValue: info.element_type)
        shape = (0..<info.rank).map { axis in
            let length = info.dimensions[axis]
            guard length < 0 else { return .fixed(Int(length)) }
            return .symbol(info.symbols[axis].map { String(cString: $0) } ?? "")
        }
    }

    package var description: String {
        let lengths = shape.map(\.description).joined(separator: ", ")
        return "\(name): \(elementType?.description ?? "unsupported")[\(lengths)]"
    }
}

/// The length of an axis in the description of a model.
public enum OnnxDimension: Hashable, Sendable, ExpressibleByIntegerLiteral, ExpressibleByStringLiteral,
    CustomStringConvertible
{
    case fixed(Int)
    /// A length that each run chooses. Axes of the same name have the same length; an empty name says nothing.
    case symbol(String)

    public init(integerLiteral value: Int) { self = .fixed(value) }
    public init(stringLiteral value: String) { self = .symbol(value) }

    public var description: String {
        switch self {
        case .fixed(let length): "\(length)"
        case .symbol(let name): name.isEmpty ? "?" : name
        }
    }
}
