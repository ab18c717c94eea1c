import ConcordCore
import ConcordNN
import ConcordONNX
import ConcordRuntime
import ConcordTensor

/// Turns recorded operations into nodes, one after another.
final class GraphLowering {
    let builder: OnnxGraphBuilder
    let isFused: Bool
    let sizes: [String: (first: Int, second: Int)]
    private let names: [ObjectIdentifier: String]
    private let constants: RecordedConstants
    /// The values by the tensors of the first recording, and of the second. Values hold their tensors, so that no other
    /// tensor can take the identity of one that is gone.
    private var firstValues: [ObjectIdentifier: RecordedValue] = [:]
    private var secondValues: [ObjectIdentifier: RecordedValue] = [:]
    /// Which input and axis tells the length of a symbol.
    private var symbolSources: [String: (input: OnnxEdge, axis: Int)] = [:]
    private var lengthEdges: [SymbolicLength: OnnxEdge] = [:]
    private var transposed: [ObjectIdentifier: OnnxEdge] = [:]

    init(_ builder: OnnxGraphBuilder, _ recorder: GraphRecorder, inputs: [RecordedInput]) {
        self.builder = builder
        isFused = recorder.usesFusedOperations
        constants = recorder.constants
        let symbols = Set(inputs.flatMap { $0.shape.map(\.description) })
        sizes = recorder.sizes.filter { symbols.contains($0.key) }
        names = Dictionary(
            recorder.parameters.map { (ObjectIdentifier($0.tensor), $0.name) }, uniquingKeysWith: { first, _ in first })
    }

    // MARK: - Values

    func addInput(_ input: RecordedInput, _ first: Tensor, _ second: Tensor) throws {
        let edge = try builder.input(input.name, OnnxElementType(first.dtype), input.shape)
        for (axis, dimension) in input.shape.enumerated() {
            if case .symbol(let name) = dimension, symbolSources[name] == nil { symbolSources[name] = (edge, axis) }
        }
        keep(RecordedValue(first, second, edge: edge, isConstant: false))
    }

    func addOutput(_ name: String, _ first: Tensor, _ second: Tensor) throws {
        let value = try value(first, second)
        let shape = try self.shape(value).map { length -> OnnxDimension in
            length.fixed.map { .fixed($0) } ?? .symbol(length.symbol ?? "")
        }
        try builder.output(edge(value), as: name, OnnxElementType(first.dtype), shape)
    }

    func keep(_ value: RecordedValue) {
        firstValues[ObjectIdentifier(value.first)] = value
        secondValues[ObjectIdentifier(value.second)] = value
    }

    /// What two tensors of the recordings are in the graph; a constant, if no operation and no input made them.
    func value(_ first: Tensor, _ second: Tensor) throws -> RecordedValue {
        let known = firstValues[ObjectIdentifier(first)], other = secondValues[ObjectIdentifier(second)]
        if known != nil || other != nil {
            guard let known, known === other else { throw differentPaths("an operation takes another operand") }
            return known
        }
        guard first === second || isEqual(first, second) else {
            throw differentPaths("a tensor that no operation made is another one")
        }
        let value = RecordedValue(first, second, edge: nil, isConstant: true)
        keep(value)
        return value
    }

    /// The value in the graph; constants come in when they are first used.
    func edge(_ value: RecordedValue) throws -> OnnxEdge {
        if let edge = value.edge { return edge }
        let edge = try constant(name: names[ObjectIdentifier(value.first)]) { value.first }
        value.edge = edge
        return edge
    }

    /// A constant matrix `[n, m]` turned round, `[m, n]`, as ONNX's products take weights.
    func transposedEdge(_ value: RecordedValue) throws -> OnnxEdge {
        guard value.isConstant else {
            return try builder.add("Transpose", [edge(value)], attributes: ["perm": .ints([1, 0])])
        }
        let key = ObjectIdentifier(value.first)
        if let known = transposed[key] { return known }
        let name = names[key].map { $0 + ".transposed" }
        let edge = try constant(name: name) { value.first.transposed(0, 1) }
        transposed[key] = edge
        return edge
    }

    /// The constant weight of a convolution, `[outputs, inputs, h, w]`, as that of a product, `[inputs · h · w, outputs]`.
    func patchEdge(_ value: RecordedValue) throws -> OnnxEdge {
        let name = names[ObjectIdentifier(value.first)].map { $0 + ".patches" }
        return try constant(name: name) { value.first.flattened(from: 1).transposed(0, 1) }
    }

    /// A constant of a tensor's elements, under a name that is not taken yet.
    ///
    /// - Parameter name: of a parameter, of which there is one; nil for what has no name.
    func constant(name: String?, _ tensor: () -> Tensor) throws -> OnnxEdge {
        func value() throws -> OnnxValue {
            let tensor = tensor().contiguous()
            return try tensor.withUnsafeBytes { bytes in
                try OnnxValue(bytes: bytes, elementType: OnnxElementType(tensor.dtype), shape: tensor.shape)
            }
        }
        let value = try name.map { try constants.value($0, make: value) } ?? value()
        return try builder.constant(value, name: builder.freeName(name ?? "constant"))
    }

    private func isEqual(_ first: Tensor, _ second: Tensor) -> Bool {
        guard first.shape == second.shape, first.dtype == second.dtype else { return false }
        return first.contiguous().withUnsafeBytes { a in second.contiguous().withUnsafeBytes { b in a.elementsEqual(b) }
        }
    }

    // MARK: - Lengths

    func length(_ first: Int, _ second: Int) throws -> SymbolicLength {
        try SymbolicLength(first, second, sizes: sizes)
    }

    func shape(_ value: RecordedValue) throws -> [SymbolicLength] {
        try zip(value.first.shape, value.second.shape).map { try length($0, $1) }
    }

    /// A list of lengths as a value `[count]` of type int64.
    func edge(_ lengths: [SymbolicLength]) throws -> OnnxEdge {
        let fixed = lengths.compactMap(\.fixed)
        if fixed.count == lengths.count { return try builder.integers(fixed) }
        let parts = try lengths.map { try $0.fixed.map { try builder.integers([$0]) } ?? edge($0) }
        return parts.count == 1
            ? parts[0] : try builder.add("Concat", parts, attributes: ["axis": .int(0)], name: "shape")
    }

    /// One length as a value `[1]`, worked out from the shapes of the inputs.
    private func edge(_ length: SymbolicLength) throws -> OnnxEdge {
        if let known = lengthEdges[length] { return known }
        var edge: OnnxEdge?
        for symbol in length.symbols {
            guard let source = symbolSources[symbol] else {
                throw ConcordError(.invalidArgument, "no input of the graph has an axis of the length '\(symbol)'")
            }
            let own = try builder.add(
                "Shape", [source.input], attributes: ["start": .int(source.axis), "end": .int(source.axis + 1)],
                name: symbol)
            edge = try edge.map { try builder.add(length.isSum ? "Add" : "Mul", [$0, own], name: "length") } ?? own
        }
        guard var result = edge else { return try builder.integers([length.offset]) }
        if length.factor != 1 {
            result = try builder.add("Mul", [result, builder.integers([length.factor])], name: "length")
        }
        if length.offset != 0 {
            result = try builder.add("Add", [result, builder.integers([length.offset])], name: "length")
        }
        lengthEdges[length] = result
        return result
    }

    // MARK: - Operations

    /// Adds the nodes of one operation, as the two recordings saw it.
    func lower(_ first: OpCall, _ second: OpCall) throws {
        guard first.name == second.name, first.operands.count == second.operands.count else {
            throw differentPaths("\(first.name) in one recording is \(second.name) in the other")
        }
        try checkIsRepeatable(first)
        let operands = try zip(first.operands, second.operands).map { pair -> RecordedValue? in
            guard let a = pair.0, let b = pair.1 else { return nil }
            return try value(a, b)
        }
        let call = LoweredCall(first: first, second: second, operands: operands, lowering: self)
        // What does not depend on the inputs was computed already.
        if try operands.allSatisfy({ $0?.isConstant ?? true }) && call.isFixed() {
            for (a, b) in zip(first.outputs, second.outputs) {
                keep(RecordedValue(a, b, edge: nil, isConstant: true))
            }
            return
        }
        try call.lower()
    }

    private func checkIsRepeatable(_ call: OpCall) throws(ConcordError) {
        let isRandom = call.attributes.contains { if case .generator = $0.value { true } else { false } }
        // `aten::add_.Tensor` changes its operand, of which the graph may have an earlier copy.
        let isInPlace = call.name.split(separator: ".")[0].hasSuffix("_")
        guard isRandom || isInPlace else { return }
        throw ConcordError(
            .invalidArgument,
            "\(call.name) \(isRandom ? "draws random numbers" : "changes a tensor in place"), which no "
                + "graph can; record the model as it is when it does not train, with operations that make new tensors")
    }

    func differentPaths(_ reason: String) -> ConcordError {
        ConcordError(
            .invalidArgument,
            "the model takes different paths at different sizes: \(reason); record it at sizes where "
                + "it takes the same path, and make constants from no sizes")
    }
}
