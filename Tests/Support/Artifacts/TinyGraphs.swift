import ConcordCore
import ConcordONNX
import ConcordRuntime

/// The graphs of a tiny artifact folder.
struct TinyGraphs {
    private let kind: TinyArtifact.Kind
    private let inputs: TinyInputs
    private let seed: UInt64
    private let metadata: [String: String]
    /// What was drawn so far, by name; graphs share weights of one name.
    private(set) var weights: [String: [Float]] = [:]

    private static let width = TinyArtifact.width, headWidth = TinyArtifact.width / TinyArtifact.heads
    private static let lowest: Float = -1e9

    init(_ kind: TinyArtifact.Kind, _ inputs: TinyInputs, seed: UInt64, metadata: [String: String]) {
        self.kind = kind
        self.inputs = inputs
        self.seed = seed
        self.metadata = metadata
    }

    private func builder(_ name: String) -> OnnxGraphBuilder {
        let graph = OnnxGraphBuilder(name: name)
        graph.metadata = metadata
        return graph
    }

    /// A weight, drawn from a normal distribution of the given deviation.
    private mutating func weight(
        _ graph: OnnxGraphBuilder, _ name: String, _ shape: [Int], deviation: Double
    ) throws -> OnnxEdge {
        let key = name.utf8.reduce(0 as UInt64) { $0 &* 131 &+ UInt64($1) }
        var random = RandomSource(seed: seed, stream: key)
        let values = weights[name] ?? (0..<shape.reduce(1, *)).map { _ in Float(random.normal() * deviation) }
        weights[name] = values
        return try graph.constant(OnnxValue(values, shape: shape), name: name)
    }

    /// `x / |x|` along the last axis.
    private func normalized(_ graph: OnnxGraphBuilder, _ x: OnnxEdge) throws -> OnnxEdge {
        try graph.add(
            "Div", [x, graph.add("ReduceL2", [x], attributes: ["axes": .ints([-1]), "keepdims": .int(1)])])
    }

    // MARK: - Towers

    /// Tokens are tanh of each patch's projection; the vector is their mean, projected.
    mutating func image() throws -> OnnxModel {
        let graph = builder("image"), size = TinyArtifact.imageSize, patch = TinyArtifact.patchSize
        let pixels = try graph.input("pixels", .float32, ["batch", 3, .fixed(size), .fixed(size)])
        let filter = try weight(graph, "image.patches", [Self.width, 3, patch, patch], deviation: 0.15)
        let patches = try graph.add("Conv", [pixels, filter], attributes: ["strides": .ints([patch, patch])])
        let rows = try graph.add("Reshape", [patches, graph.integers([0, Self.width, -1])])
        let tokens = try graph.add(
            "Tanh", [graph.add("Transpose", [rows], attributes: ["perm": .ints([0, 2, 1])])])
        let mean = try graph.add("ReduceMean", [tokens], attributes: ["axes": .ints([1]), "keepdims": .int(0)])
        let projection = try weight(
            graph, "image.projection", [Self.width, TinyArtifact.embeddingWidth], deviation: 0.5)
        let vector = try normalized(graph, graph.add("MatMul", [mean, projection]))
        try graph.output(vector, as: "embeddings", .float32, ["batch", .fixed(TinyArtifact.embeddingWidth)])
        if kind == .coca {
            try graph.output(
                tokens, as: "tokens", .float32, ["batch", .fixed(TinyArtifact.pictureTokens), .fixed(Self.width)])
        }
        return try graph.build()
    }

    /// States are tanh of the sum of all embeddings up to each token. The vector is, projected, the state of the first end
    /// token; of `siglip` the mean of all columns; of `sentences` the mean of those within the length.
    mutating func text() throws -> OnnxModel {
        let graph = builder("text")
        let ids = try graph.input("ids", .int64, ["batch", "sequence"])
        let embedded = try embedding(graph, ids, from: graph.integer(0), scope: "text")
        let states = try graph.add("Tanh", [graph.add("CumSum", [embedded, graph.integer(1)])])
        let columns = try columnNumbers(graph, ids)
        let mask: OnnxEdge
        switch kind {
        case .clip, .coca:
            let isEnd = try graph.add("Equal", [ids, graph.integer(Int(inputs.endToken))])
            let end = try graph.add(
                "ArgMax", [graph.add("Cast", [isEnd], attributes: ["to": .int(6)])],
                attributes: ["axis": .int(1), "keepdims": .int(1)])
            mask = try graph.add("Equal", [columns, end])
        case .siglip:
            mask = try graph.add("GreaterOrEqual", [graph.add("Mul", [ids, graph.integer(0)]), graph.integer(0)])
        case .sentences:
            let lengths = try graph.input("lengths", .int64, ["batch"])
            mask = try graph.add("Less", [columns, graph.add("Unsqueeze", [lengths, graph.integers([1])])])
        }
        // [batch, 1, sequence] · [batch, sequence, width]; what is a sum becomes a mean when it is normalised.
        let weights = try graph.add(
            "Unsqueeze",
            [graph.add("Cast", [mask], attributes: ["to": .int(1)]), graph.integers([1])])
        let pooled = try graph.add("Squeeze", [graph.add("MatMul", [weights, states]), graph.integers([1])])
        let projection = try weight(
            graph, "text.projection", [Self.width, TinyArtifact.embeddingWidth], deviation: 0.5)
        let vector = try normalized(graph, graph.add("MatMul", [pooled, projection]))
        try graph.output(vector, as: "embeddings", .float32, ["batch", .fixed(TinyArtifact.embeddingWidth)])
        return try graph.build()
    }

    /// The numbers of the columns of ids, `[1, sequence]`.
    private func columnNumbers(_ graph: OnnxGraphBuilder, _ ids: OnnxEdge) throws -> OnnxEdge {
        let range = try graph.add("Range", [graph.integer(0), count(graph, ids, axis: 1), graph.integer(1)])
        return try graph.add("Unsqueeze", [range, graph.integers([0])])
    }

    /// The length of an axis, `[]`.
    private func count(_ graph: OnnxGraphBuilder, _ value: OnnxEdge, axis: Int) throws -> OnnxEdge {
        try graph.add("Gather", [graph.add("Shape", [value]), graph.integer(axis)])
    }

    /// Embeddings of ids, the first of which stands at the position `start`: `[batch, count, width]`.
    private mutating func embedding(
        _ graph: OnnxGraphBuilder, _ ids: OnnxEdge, from start: OnnxEdge, scope: String
    ) throws -> OnnxEdge {
        let table = try weight(graph, scope + ".table", [inputs.vocabularySize, Self.width], deviation: 0.6)
        let positions = try weight(
            graph, scope + ".positions", [TinyArtifact.contextLength, Self.width], deviation: 0.3)
        let end = try graph.add("Add", [start, count(graph, ids, axis: 1)])
        let places = try graph.add("Range", [start, end, graph.integer(1)])
        return try graph.add("Add", [graph.add("Gather", [table, ids]), graph.add("Gather", [positions, places])])
    }

    // MARK: - Captions

    /// Two causal layers of attention without norms and perceptrons, one more to the picture, and the language head.
    mutating func caption(isFirst: Bool) throws -> OnnxModel {
        let graph = builder(isFirst ? "caption_prefill" : "caption_step")
        let ids = try graph.input("ids", .int64, ["batch", "count"])
        func state(_ name: String, _ length: OnnxDimension) throws -> OnnxEdge {
            try graph.input(name, .float32, ["batch", .fixed(TinyArtifact.heads), length, .fixed(Self.headWidth)])
        }
        var past: [OnnxEdge] = [], cross: [OnnxEdge] = []
        if isFirst {
            let tokens = try graph.input(
                "tokens", .float32, ["batch", .fixed(TinyArtifact.pictureTokens), .fixed(Self.width)])
            for part in ["key", "value"] { cross.append(try projected(graph, tokens, "cross.0." + part)) }
        } else {
            for layer in 0..<2 {
                for part in ["key", "value"] { past.append(try state("past.\(layer).\(part)", "past")) }
            }
            for part in ["key", "value"] {
                cross.append(try state("cross.0." + part, .fixed(TinyArtifact.pictureTokens)))
            }
        }
        let start = try isFirst ? graph.integer(0) : count(graph, past[0], axis: 2)
        var x = try embedding(graph, ids, from: start, scope: "caption")
        let mask = try causalMask(graph, ids, from: start)
        for layer in 0..<2 {
            var state: [OnnxEdge] = []
            for (index, part) in ["key", "value"].enumerated() {
                var new = try projected(graph, x, "layers.\(layer).\(part)")
                if !isFirst {
                    new = try graph.add("Concat", [past[2 * layer + index], new], attributes: ["axis": .int(2)])
                }
                try graph.output(
                    new, as: "present.\(layer).\(part)", .float32,
                    ["batch", .fixed(TinyArtifact.heads), "total", .fixed(Self.headWidth)])
                state.append(new)
            }
            x = try attention(graph, x, "layers.\(layer)", key: state[0], value: state[1], mask: mask)
        }
        x = try attention(graph, x, "cross.0", key: cross[0], value: cross[1], mask: nil)
        let last = try graph.add("Gather", [x, graph.integer(-1)], attributes: ["axis": .int(1)])
        let head = try weight(graph, "head", [Self.width, inputs.vocabularySize], deviation: 0.8)
        try graph.output(
            graph.add("MatMul", [last, head]), as: "logits", .float32, ["batch", .fixed(inputs.vocabularySize)])
        if isFirst {
            for (part, value) in zip(["key", "value"], cross) {
                try graph.output(
                    value, as: "cross.0." + part, .float32,
                    [
                        "batch", .fixed(TinyArtifact.heads), .fixed(TinyArtifact.pictureTokens),
                        .fixed(Self.headWidth),
                    ])
            }
        }
        return try graph.build()
    }

    /// `x · W` by heads: `[batch, count, width] → [batch, heads, count, headWidth]`.
    private mutating func projected(_ graph: OnnxGraphBuilder, _ x: OnnxEdge, _ name: String) throws -> OnnxEdge {
        let matrix = try weight(graph, name + ".weight", [Self.width, Self.width], deviation: 0.4)
        let flat = try graph.add("MatMul", [x, matrix])
        let heads = try graph.add("Reshape", [flat, graph.integers([0, 0, TinyArtifact.heads, Self.headWidth])])
        return try graph.add("Transpose", [heads], attributes: ["perm": .ints([0, 2, 1, 3])])
    }

    /// What is added to scores `[count, start + count]` so that no token sees a later one.
    private func causalMask(_ graph: OnnxGraphBuilder, _ ids: OnnxEdge, from start: OnnxEdge) throws -> OnnxEdge {
        let end = try graph.add("Add", [start, count(graph, ids, axis: 1)])
        let queries = try graph.add("Range", [start, end, graph.integer(1)])
        let keys = try graph.add("Range", [graph.integer(0), end, graph.integer(1)])
        let sees = try graph.add("LessOrEqual", [keys, graph.add("Unsqueeze", [queries, graph.integers([1])])])
        return try graph.add("Where", [sees, graph.number(0), graph.number(Self.lowest)])
    }

    /// `x` and what it sees, `[batch, count, width]`.
    private mutating func attention(
        _ graph: OnnxGraphBuilder, _ x: OnnxEdge, _ name: String, key: OnnxEdge, value: OnnxEdge, mask: OnnxEdge?
    ) throws -> OnnxEdge {
        let query = try projected(graph, x, name + ".query")
        let columns = try graph.add("Transpose", [key], attributes: ["perm": .ints([0, 1, 3, 2])])
        let scale = try graph.number(1 / Float(Self.headWidth).squareRoot())
        var scores = try graph.add("Mul", [graph.add("MatMul", [query, columns]), scale])
        if let mask { scores = try graph.add("Add", [scores, mask]) }
        let weights = try graph.add("Softmax", [scores], attributes: ["axis": .int(-1)])
        let mixed = try graph.add(
            "Transpose", [graph.add("MatMul", [weights, value])], attributes: ["perm": .ints([0, 2, 1, 3])])
        let flat = try graph.add("Reshape", [mixed, graph.integers([0, 0, Self.width])])
        let output = try weight(graph, name + ".output", [Self.width, Self.width], deviation: 0.4)
        return try graph.add("Add", [x, graph.add("MatMul", [flat, output])])
    }
}
