import ConcordCore
import ConcordRuntime

/// A node of a graph whose weight can be held in 8 bits.
public struct QuantizableLayer: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// `MatMul` or `Gemm` by a constant matrix.
        case product
        /// `Conv` with a constant kernel.
        case convolution
        /// `Gather` of rows of a constant matrix, such as the vectors of tokens.
        case table
    }

    /// The name of the node's result, which is unique in the graph; all that is said of layers is said by it.
    public let name: String
    public let kind: Kind
    /// The name of the weight.
    public let weight: String
    /// A product's `[in, out]`, or `[out, in]` where a `Gemm` turns it; a convolution's `[out, in, height, width]`; a
    /// table's `[rows, width]`.
    public let shape: [Int]
    /// The value that is multiplied by the weight, or that picks rows of the table.
    public let input: String

    package init(name: String, kind: Kind, weight: String, shape: [Int], input: String) {
        self.name = name
        self.kind = kind
        self.weight = weight
        self.shape = shape
        self.input = input
    }

    /// The elements of the weight.
    public var elementCount: Int { shape.reduce(1, *) }
}

extension OnnxModel {
    /// The layers that can be quantized: products, convolutions and tables with a constant weight of float32, in the
    /// order of the graph.
    ///
    /// - Parameter minimumElementCount: weights with fewer elements are left out: they would save next to nothing.
    public func quantizableLayers(minimumElementCount: Int = 4096) -> [QuantizableLayer] {
        var tables: [String: Int] = [:], uses: [String: Int] = [:]
        for output in proto.graph.output { uses[output.name, default: 0] += 1 }
        for node in proto.graph.node {
            for input in node.input { uses[input, default: 0] += 1 }
            if node.isTableLookup, let table = node.input.first { tables[table, default: 0] += 1 }
        }
        return proto.graph.node.compactMap { node in
            guard let (kind, input, weight) = operands(of: node), let value = weights[weight],
                value.elementType == .float32, value.count >= max(1, minimumElementCount), weights[input] == nil,
                let name = node.output.first
            else { return nil }
            // A table that something else needs, too, would have to stay as it is, and nothing would be saved.
            if kind == .table, uses[weight] != tables[weight] { return nil }
            return QuantizableLayer(name: name, kind: kind, weight: weight, shape: value.shape, input: input)
        }
    }

    private func operands(
        of node: OnnxNodeProto
    ) -> (kind: QuantizableLayer.Kind, input: String, weight: String)? {
        guard node.domain.isEmpty, node.input.count >= 2 else { return nil }
        let (first, second) = (node.input[0], node.input[1])
        let rank = { (name: String) in weights[name]?.shape.count }
        let isOptionalConstant = node.input.count < 3 || node.input[2].isEmpty || weights[node.input[2]] != nil
        switch node.opType {
        case "MatMul" where rank(second) == 2: return (.product, first, second)
        case "Gemm" where rank(second) == 2 && node.int("transA", default: 0) == 0:
            return isOptionalConstant || node.float("beta", default: 1) == 1 ? (.product, first, second) : nil
        case "Conv" where isOptionalConstant && (rank(second) ?? 0) >= 3: return (.convolution, first, second)
        case "Gather" where node.isTableLookup && rank(first) == 2: return (.table, second, first)
        default: return nil
        }
    }
}

extension OnnxNodeProto {
    /// Whether this node picks rows, of whatever.
    fileprivate var isTableLookup: Bool { domain.isEmpty && opType == "Gather" && int("axis", default: 0) == 0 }

    func int(_ name: String, default value: Int) -> Int {
        attribute.first { $0.name == name }.map { Int($0.i) } ?? value
    }

    func float(_ name: String, default value: Float) -> Float {
        attribute.first { $0.name == name }?.f ?? value
    }
}
