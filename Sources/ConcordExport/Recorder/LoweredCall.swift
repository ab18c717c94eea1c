import ConcordCore
import ConcordONNX
import ConcordRuntime
import ConcordTensor

/// One operation that is being turned into nodes: its operands in the graph, and its arguments.
struct LoweredCall {
    let first, second: OpCall
    let operands: [RecordedValue?]
    let lowering: GraphLowering

    var builder: OnnxGraphBuilder { lowering.builder }
    var name: String { String(first.name.dropFirst("aten::".count)) }

    // MARK: - Operands

    func operand(_ index: Int) throws -> RecordedValue {
        guard operands.indices.contains(index), let operand = operands[index] else {
            throw ConcordError(.invalidArgument, "\(first.name) was recorded without its operand \(index)")
        }
        return operand
    }

    func edge(_ index: Int) throws -> OnnxEdge { try lowering.edge(operand(index)) }

    /// The operand, or nil where it was left out.
    func optionalEdge(_ index: Int) throws -> OnnxEdge? {
        guard operands.indices.contains(index), let operand = operands[index] else { return nil }
        return try lowering.edge(operand)
    }

    // MARK: - Arguments

    /// An integer argument, which may depend on the sizes; nil where the call left it open.
    func length(_ name: String) throws -> SymbolicLength? {
        guard case .int(let a)? = first.attribute(name), case .int(let b)? = second.attribute(name), let a, let b else {
            return nil
        }
        return try lowering.length(a, b)
    }

    /// A fixed integer argument.
    func int(_ name: String, default value: Int? = nil) throws -> Int {
        if let fixed = try length(name)?.fixed ?? value { return fixed }
        throw ConcordError(.invalidArgument, "the argument \(name) of \(first.name) must not depend on the sizes")
    }

    /// Fixed integers; empty where the call left them open.
    func ints(_ name: String) -> [Int] {
        if case .ints(let values)? = first.attribute(name) { return values ?? [] }
        return []
    }

    func double(_ name: String) -> Double? {
        if case .double(let value)? = first.attribute(name) { return value }
        return nil
    }

    func bool(_ name: String) -> Bool {
        if case .bool(let value)? = first.attribute(name) { return value }
        return false
    }

    /// An axis counted from the first.
    func axis(_ name: String, rank: Int) throws -> Int {
        let axis = try int(name)
        return axis < 0 ? axis + rank : axis
    }

    /// Whether both recordings gave the same arguments, and results of the same shape.
    func isFixed() throws -> Bool {
        guard zip(first.outputs, second.outputs).allSatisfy({ $0.shape == $1.shape }) else { return false }
        return zip(first.attributes, second.attributes).allSatisfy { "\($0.value)" == "\($1.value)" }
    }

    // MARK: - Results

    var outputDType: DType { first.outputs[0].dtype }

    /// The shape of the result.
    func outputShape() throws -> [SymbolicLength] {
        try zip(first.outputs[0].shape, second.outputs[0].shape).map { try lowering.length($0, $1) }
    }

    /// Makes `edge` the operation's result.
    @discardableResult
    func finish(_ edge: OnnxEdge, _ origin: RecordedValue.Origin = .other) -> RecordedValue {
        let value = RecordedValue(first.outputs[0], second.outputs[0], edge: edge, isConstant: false)
        value.origin = origin
        lowering.keep(value)
        return value
    }

    /// The result is the operand itself.
    func passOn() throws { finish(try edge(0), try operand(0).origin) }

    /// A number of an operand's type, `[]`.
    func number(_ value: Double, like dtype: DType) throws -> OnnxEdge {
        switch dtype {
        case .float32: return try builder.number(Float(value))
        case .int64: return try builder.integer(Int(value))
        default:
            return try builder.add(
                "Cast", [builder.number(Float(value))], attributes: ["to": .int(Int(OnnxElementType(dtype).rawValue))])
        }
    }
}
