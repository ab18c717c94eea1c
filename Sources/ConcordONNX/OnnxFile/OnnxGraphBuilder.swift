import ConcordCore
import ConcordRuntime

/// Writes an ONNX graph, node by node.
///
/// A node takes only values that exist already, so the nodes come out in an order in which they can run. The same calls
/// give the same names and the same bytes.
public final class OnnxGraphBuilder {
    private var model = OnnxModelProto()
    private var weights: [String: OnnxValue] = [:]
    /// The names that are given to values, those of the outputs among them.
    private var names: Set<String> = []
    /// The next number for a name that is taken.
    private var suffixes: [String: Int] = [:]
    private var nodeNames: Set<String> = []
    private var domains: Set<OnnxDomain> = [.onnx]
    /// The name that the file has for a node's result which is an output of the graph.
    private var renamed: [String: String] = [:]
    private var results: Set<String> = []
    private var smallConstants: [[UInt8]: OnnxEdge] = [:]

    /// Texts that the file carries for those who load it, by key.
    public var metadata: [String: String] = [:]

    /// - Parameters:
    ///   - name: the graph's name.
    ///   - description: what it is, for people.
    public init(name: String, description: String = "") {
        model.irVersion = 8
        model.producerName = "concord"
        if !description.isEmpty { model.docString = description }
        model.graph.name = name
    }

    // MARK: - Values

    /// A value that each run gives. Throws `.invalidArgument` when the name is taken.
    public func input(
        _ name: String, _ elementType: OnnxElementType, _ shape: [OnnxDimension]
    ) throws(ConcordError) -> OnnxEdge {
        try claim(name, "input")
        model.graph.input.append(OnnxValueInfoProto(name, elementType, shape))
        return edge(name)
    }

    /// A constant, usually a weight, under the name of its parameter. Throws `.invalidArgument` when the name is taken.
    public func constant(_ value: OnnxValue, name: String) throws(ConcordError) -> OnnxEdge {
        try claim(name, "constant")
        model.graph.initializer.append(OnnxTensorProto(describing: value, named: name))
        weights[name] = value
        return edge(name)
    }

    /// A list of integers `[count]`, as axes and shapes are given. Equal lists are one constant.
    public func integers(_ values: [Int]) throws(ConcordError) -> OnnxEdge {
        try small(OnnxValue(values.map { Int64($0) }, shape: [values.count]), kind: "integers")
    }

    /// A single integer `[]`, as an index is given. Equal ones are one constant.
    public func integer(_ value: Int) throws(ConcordError) -> OnnxEdge {
        try small(OnnxValue([Int64(value)], shape: []), kind: "integer")
    }

    /// A single number `[]` of type float32. Equal ones are one constant.
    public func number(_ value: Float) throws(ConcordError) -> OnnxEdge {
        try small(OnnxValue([value], shape: []), kind: "number")
    }

    private func small(_ value: OnnxValue, kind: String) throws(ConcordError) -> OnnxEdge {
        let key = Array(kind.utf8) + value.withUnsafeBytes { Array($0) }
        if let known = smallConstants[key] { return known }
        let edge = try constant(value, name: freeName(kind, names))
        smallConstants[key] = edge
        return edge
    }

    // MARK: - Nodes

    /// Adds a node with one result.
    ///
    /// - Parameters:
    ///   - operation: its type, such as `MatMul`.
    ///   - operands: in the order of the operation's specification; nil for one that is left out.
    ///   - attributes: its fixed arguments; written in the order given.
    ///   - name: what to call it, and its result; a number is added where the name is taken.
    /// - Throws: `.invalidArgument` for an operand of another graph.
    public func add(
        _ operation: String, _ operands: [OnnxEdge?], attributes: KeyValuePairs<String, OnnxAttribute> = [:],
        domain: OnnxDomain = .onnx, name: String? = nil
    ) throws(ConcordError) -> OnnxEdge {
        try add(operation, operands, attributes: attributes, domain: domain, name: name, outputs: [0])[0]
    }

    /// Adds a node of which the results at the positions `outputs`, in rising order, are used; the others are left out.
    /// Otherwise as ``add(_:_:attributes:domain:name:)``.
    public func add(
        _ operation: String, _ operands: [OnnxEdge?], attributes: KeyValuePairs<String, OnnxAttribute> = [:],
        domain: OnnxDomain = .onnx, name: String? = nil, outputs: [Int]
    ) throws(ConcordError) -> [OnnxEdge] {
        precondition(
            !outputs.isEmpty && outputs[0] >= 0 && zip(outputs, outputs.dropFirst()).allSatisfy(<),
            "positions of results rise from 0, got \(outputs)")
        for operand in operands { try check(operand, "an operand of \(operation)") }
        var node = OnnxNodeProto()
        let nodeName = freeName(name ?? operation, nodeNames)
        nodeNames.insert(nodeName)
        node.name = nodeName
        node.opType = operation
        if domain != .onnx { node.domain = domain.rawValue }
        domains.insert(domain)
        // Operands at the end that are left out are not written at all.
        node.input = operands.map { $0?.name ?? "" }
        while node.input.last == "" { node.input.removeLast() }
        node.output = Array(repeating: "", count: (outputs.last ?? 0) + 1)
        let edges = outputs.map { position in
            let name = freeName(position == 0 ? nodeName : "\(nodeName)/\(position)", names)
            names.insert(name)
            results.insert(name)
            node.output[position] = name
            return edge(name)
        }
        node.attribute = attributes.map { $0.value.proto(named: $0.key) }
        model.graph.node.append(node)
        return edges
    }

    /// Makes a value an output of the graph. Throws `.invalidArgument` when the name is taken, or for a value of
    /// another graph.
    public func output(
        _ value: OnnxEdge, as name: String, _ elementType: OnnxElementType, _ shape: [OnnxDimension]
    ) throws(ConcordError) {
        try check(value, "the output '\(name)'")
        var value = value
        // Only a node's result can be renamed, and only once; a copy of anything else can.
        if !results.contains(value.name) || renamed[value.name] != nil { value = try add("Identity", [value]) }
        if name != value.name { try claim(name, "output") }
        renamed[value.name] = name
        model.graph.output.append(OnnxValueInfoProto(name, elementType, shape))
    }

    // MARK: - The model

    /// The finished model, without nodes and constants that no output needs. Throws `.invalidArgument` for a graph
    /// without outputs.
    public func build() throws(ConcordError) -> OnnxModel {
        guard !model.graph.output.isEmpty else {
            throw ConcordError(
                .invalidArgument, "the graph '\(model.graph.name)' has no output; name one before it is built")
        }
        var model = model, weights = weights
        prune(&model.graph, &weights)
        for index in model.graph.node.indices {
            model.graph.node[index].input = model.graph.node[index].input.map { renamed[$0] ?? $0 }
            model.graph.node[index].output = model.graph.node[index].output.map { renamed[$0] ?? $0 }
        }
        model.opsetImport = OnnxDomain.allCases.filter(domains.contains).map { domain in
            var proto = OnnxOperatorSetIdProto()
            proto.domain = domain.rawValue
            proto.version = Int64(domain.version)
            return proto
        }
        model.metadataProps = metadata.sorted { $0.key < $1.key }.map { OnnxStringStringEntryProto($0.key, $0.value) }
        return OnnxModel(proto: model, weights: weights)
    }

    /// Removes what no output needs. Inputs stay: they are what callers were told.
    private func prune(_ graph: inout OnnxGraphProto, _ weights: inout [String: OnnxValue]) {
        // Results come before their use, so one pass from the end finds all that are needed.
        var needed = Set(renamed.keys)
        var nodes: [OnnxNodeProto] = []
        for node in graph.node.reversed() where node.output.contains(where: needed.contains) {
            needed.formUnion(node.input)
            nodes.append(node)
        }
        graph.node = nodes.reversed()
        graph.initializer.removeAll { !needed.contains($0.name) }
        weights = weights.filter { needed.contains($0.key) }
    }

    // MARK: - Names

    /// `name`, or where it is taken, `name` with a number: what a constant can be called.
    public func freeName(_ name: String) -> String { freeName(name, names) }

    private func edge(_ name: String) -> OnnxEdge { OnnxEdge(name: name, graph: ObjectIdentifier(self)) }

    private func check(_ value: OnnxEdge?, _ use: String) throws(ConcordError) {
        guard let value, value.graph != ObjectIdentifier(self) else { return }
        throw ConcordError(
            .invalidArgument, "\(use) is the value '\(value.name)' of another graph than '\(model.graph.name)'")
    }

    private func claim(_ name: String, _ kind: String) throws(ConcordError) {
        guard !name.isEmpty, names.insert(name).inserted else {
            throw ConcordError(
                .invalidArgument,
                "the \(kind) '\(name)' of the graph '\(model.graph.name)' needs a name that is not "
                    + "empty and not taken")
        }
    }

    /// `name`, or where it is taken, `name` with the first free number.
    private func freeName(_ name: String, _ taken: Set<String>) -> String {
        var candidate = name
        while taken.contains(candidate) {
            suffixes[name, default: 0] += 1
            candidate = "\(name)_\(suffixes[name, default: 0])"
        }
        return candidate
    }
}

extension OnnxStringStringEntryProto {
    init(_ key: String, _ value: String) {
        self.init()
        self.key = key
        self.value = value
    }
}

/// A value in a graph: one of its inputs or constants, or the result of a node.
public struct OnnxEdge: Hashable, Sendable {
    /// Unique in its graph. The name in the file is another where ``OnnxGraphBuilder/output(_:as:_:_:)`` gives one.
    public let name: String
    /// Which builder made it, so that one cannot be used in another graph by mistake.
    let graph: ObjectIdentifier
}

/// A set of operations, and the version of it that this package writes.
public enum OnnxDomain: String, Hashable, Sendable, CaseIterable {
    /// ONNX's own, opset 17: the first with LayerNormalization, and old enough for every ONNX Runtime since 1.14.
    case onnx = ""
    /// The fused operations of ONNX Runtime: attention, QuickGelu, MatMulNBits.
    case microsoft = "com.microsoft"

    public var version: Int {
        switch self {
        case .onnx: 17
        case .microsoft: 1
        }
    }
}
