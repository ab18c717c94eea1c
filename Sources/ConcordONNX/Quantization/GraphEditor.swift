import ConcordCore
import ConcordRuntime

/// Rewrites a graph node by node: the nodes of the new one are added in the order in which they run.
struct GraphEditor {
    private(set) var model: OnnxModel
    private var names: Set<String>
    private var nodeNames: Set<String>
    private var nodes: [OnnxNodeProto] = []
    /// Names of what was already made, by what it was made of and how.
    var known: [String: String] = [:]

    /// An editor for `model`, with none of its nodes yet. Throws `.invalidModel` for a set of operations in which
    /// scales for each channel are not known.
    init(_ model: OnnxModel) throws(ConcordError) {
        let version = model.proto.opsetImport.first { $0.domain.isEmpty }?.version ?? 0
        guard version >= 13 else {
            throw ConcordError(
                .invalidModel,
                "the graph '\(model.proto.graph.name)' is written in opset \(version) of ONNX, and quantization needs "
                    + "13 or newer; export it again")
        }
        self.model = model
        names = Set(model.weights.keys)
        nodeNames = Set(model.proto.graph.node.map(\.name))
        for node in model.proto.graph.node { names.formUnion(node.output) }
        for value in model.proto.graph.input { names.insert(value.name) }
    }

    /// Leaves a node of the old graph out; the name is free for what stands for it.
    mutating func replace(_ node: OnnxNodeProto) { nodeNames.remove(node.name) }

    /// Adds a node of the old graph as it is.
    mutating func keep(_ node: OnnxNodeProto) { nodes.append(node) }

    /// Adds a node with one result and returns the result's name.
    ///
    /// - Parameters:
    ///   - inputs: names of values; an empty one for an operand that is left out.
    ///   - others: further attributes, of another node.
    ///   - output: the name of the result; nil for one of its own, made from `name`.
    @discardableResult
    mutating func add(
        _ operation: String, _ inputs: [String], attributes: KeyValuePairs<String, OnnxAttribute> = [:],
        copying others: [OnnxAttributeProto] = [], domain: OnnxDomain = .onnx, name: String, output: String? = nil
    ) -> String {
        var node = OnnxNodeProto()
        node.name = free(name, nodeNames)
        nodeNames.insert(node.name)
        node.opType = operation
        if domain != .onnx { node.domain = domain.rawValue }
        node.input = inputs
        while node.input.last == "" { node.input.removeLast() }
        let result = output ?? free(name, names)
        names.insert(result)
        node.output = [result]
        node.attribute = attributes.map { $0.value.proto(named: $0.key) } + others
        nodes.append(node)
        return result
    }

    /// Adds a constant and returns its name, which is `name` or that with a number.
    mutating func constant(_ value: OnnxValue, name: String) -> String {
        let name = free(name, names)
        names.insert(name)
        model.proto.graph.initializer.append(OnnxTensorProto(describing: value, named: name))
        model.weights[name] = value
        return name
    }

    /// Makes a value an output of the graph, of whatever shape.
    mutating func output(_ name: String, _ elementType: OnnxElementType) {
        guard !model.proto.graph.output.contains(where: { $0.name == name }) else { return }
        var info = OnnxValueInfoProto()
        info.name = name
        info.type.tensorType.elemType = elementType.rawValue
        model.proto.graph.output.append(info)
    }

    /// The graph of the nodes added, without constants that none of them takes, and with `metadata` for those who load
    /// it.
    func finish(metadata: [String: String] = [:]) -> OnnxModel {
        var model = model
        model.proto.graph.node = nodes
        var needed = Set(model.proto.graph.output.map(\.name))
        for node in nodes { needed.formUnion(node.input) }
        model.proto.graph.initializer.removeAll { !needed.contains($0.name) }
        model.weights = model.weights.filter { needed.contains($0.key) }
        // What was said of values that are no more.
        let made = Set(nodes.flatMap(\.output))
        model.proto.graph.valueInfo.removeAll { !made.contains($0.name) }
        let imported = Set(model.proto.opsetImport.map(\.domain))
        for domain in OnnxDomain.allCases
        where !imported.contains(domain.rawValue) && nodes.contains(where: { $0.domain == domain.rawValue }) {
            var proto = OnnxOperatorSetIdProto()
            proto.domain = domain.rawValue
            proto.version = Int64(domain.version)
            model.proto.opsetImport.append(proto)
        }
        model.proto.metadataProps.removeAll { metadata[$0.key] != nil }
        model.proto.metadataProps += metadata.sorted { $0.key < $1.key }
            .map { OnnxStringStringEntryProto($0.key, $0.value) }
        return model
    }

    private func free(_ name: String, _ taken: Set<String>) -> String {
        var candidate = name, number = 1
        while taken.contains(candidate) {
            candidate = "\(name)_\(number)"
            number += 1
        }
        return candidate
    }
}
