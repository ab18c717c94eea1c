import ConcordRuntime
import Foundation

/// An argument of a node that is fixed in the graph.
public enum OnnxAttribute: Sendable {
    case int(Int)
    case float(Float)
    case string(String)
    case ints([Int])
    case floats([Float])
    case tensor(OnnxValue)

    func proto(named name: String) -> OnnxAttributeProto {
        var proto = OnnxAttributeProto()
        proto.name = name
        switch self {
        case .int(let value):
            proto.type = .int
            proto.i = Int64(value)
        case .float(let value):
            proto.type = .float
            proto.f = value
        case .string(let value):
            proto.type = .string
            proto.s = Data(value.utf8)
        case .ints(let values):
            proto.type = .ints
            proto.ints = values.map { Int64($0) }
        case .floats(let values):
            proto.type = .floats
            proto.floats = values
        case .tensor(let value):
            proto.type = .tensor
            proto.t = OnnxTensorProto(describing: value, named: name)
            proto.t.rawData = value.withUnsafeBytes { Data($0) }
        }
        return proto
    }
}

extension OnnxTensorProto {
    /// A tensor's name, type and shape, without its elements.
    init(describing value: OnnxValue, named name: String) {
        self.init()
        self.name = name
        dataType = value.elementType.rawValue
        dims = value.shape.map { Int64($0) }
    }
}

extension OnnxValueInfoProto {
    init(_ name: String, _ elementType: OnnxElementType, _ shape: [OnnxDimension]) {
        self.init()
        self.name = name
        type.tensorType.elemType = elementType.rawValue
        type.tensorType.shape.dim = shape.map { dimension in
            var proto = OnnxTensorShapeProto.Dimension()
            switch dimension {
            case .fixed(let length): proto.dimValue = Int64(length)
            // Without a value the length is open and has no name.
            case .symbol(let name): if !name.isEmpty { proto.dimParam = name }
            }
            return proto
        }
        // Also for a single number, whose shape has no axes: without it even the number of axes would be open.
        if shape.isEmpty { type.tensorType.shape = OnnxTensorShapeProto() }
    }
}
