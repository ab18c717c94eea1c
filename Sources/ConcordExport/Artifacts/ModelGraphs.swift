import ConcordCheckpoint
import ConcordCore
import ConcordEvaluate
import ConcordModels
import ConcordNN
import ConcordONNX
import ConcordRuntime
import ConcordTensor

/// A model as ONNX graphs, one for each role of an artifact folder; see `ArtifactManifest` for what they take and give.
public struct ModelGraphs {
    /// The graphs, each with its weights.
    public private(set) var models: [ArtifactManifest.GraphRole: OnnxModel] = [:]

    /// Fewest tokens of a context that a graph can be recorded of.
    static let minimumContext = 8

    private let model: EmbeddingModel
    private let usesFusedOperations: Bool
    private let constants = RecordedConstants()

    /// Records a model.
    ///
    /// - Parameters:
    ///   - usesFusedOperations: see ``GraphRecorder/usesFusedOperations``.
    ///   - progress: is told of each graph that is done.
    /// - Throws: `.invalidConfiguration` for a model whose image tower gives no vector, and for a context of fewer than 8
    ///   tokens; `.invalidArgument` for an operation that no graph can be written of.
    public static func record(
        _ model: EmbeddingModel, usesFusedOperations: Bool = true,
        progress: (ArtifactManifest.GraphRole) -> Void = { _ in }
    ) throws -> ModelGraphs {
        let context = try model.textSide().encoder.textConfiguration.contextLength
        guard context >= minimumContext else {
            throw ConcordError(
                .invalidConfiguration,
                "a model with a context of \(context) tokens cannot be exported; it needs at least \(minimumContext)")
        }
        let wasTraining = model.encoder.store.isTraining
        model.encoder.store.isTraining = false
        defer { model.encoder.store.isTraining = wasTraining }
        var graphs = ModelGraphs(model, usesFusedOperations: usesFusedOperations)
        func keep(_ role: ArtifactManifest.GraphRole, _ graph: OnnxGraphBuilder) throws {
            graphs.models[role] = try graph.build()
            progress(role)
        }
        if model.images != nil { try keep(.image, graphs.imageGraph(model.imageSide().encoder)) }
        try keep(.text, graphs.textGraph())
        if let captioner = model.encoder as? any CaptioningModel {
            try keep(.captionPrefill, graphs.prefillGraph(captioner))
            try keep(.captionStep, graphs.stepGraph(captioner))
        }
        return graphs
    }

    private init(_ model: EmbeddingModel, usesFusedOperations: Bool) {
        self.model = model
        self.usesFusedOperations = usesFusedOperations
    }

    // MARK: - Recording

    /// Lengths of which no two, nor their sums with one another or with small numbers, are easily confused, and which any
    /// context has room for.
    private static let sizes = ["batch": (7, 11), "sequence": (3, 5), "count": (2, 3), "past": (3, 5)]

    private func record(
        _ role: ArtifactManifest.GraphRole, inputs: [RecordedInput], outputs: [String],
        _ body: ([Tensor]) throws -> [Tensor]
    ) throws -> OnnxGraphBuilder {
        let symbols = Set(inputs.flatMap { $0.shape.map(\.description) })
        var recorder = GraphRecorder(
            sizes: Self.sizes.filter { symbols.contains($0.key) }.mapValues { (first: $0.0, second: $0.1) },
            parameters: model.encoder.store.parameters)
        recorder.usesFusedOperations = usesFusedOperations
        recorder.constants = constants
        return try recorder.record(role.rawValue, inputs: inputs, outputs: outputs, body)
    }

    private func zeros(_ name: String, _ shape: [OnnxDimension]) -> RecordedInput {
        RecordedInput(name, shape: shape) { .zeros($0) }
    }

    private func ids(_ length: OnnxDimension) -> RecordedInput {
        RecordedInput("ids", shape: ["batch", length]) { .zeros($0, dtype: .int64) }
    }

    private func imageGraph(_ encoder: any ImageEncoder) throws -> OnnxGraphBuilder {
        let vision = encoder.visionConfiguration, size = OnnxDimension.fixed(vision.imageSize)
        let pixels = zeros("pixels", ["batch", .fixed(vision.channels), size, size])
        guard let captioner = encoder as? any CaptioningModel else {
            return try record(.image, inputs: [pixels], outputs: ["embeddings"]) { [encoder.embedImages($0[0])] }
        }
        return try record(.image, inputs: [pixels], outputs: ["embeddings", "tokens"]) {
            let (embeddings, tokens) = captioner.encodeImages($0[0])
            return [embeddings, tokens]
        }
    }

    private func textGraph() throws -> OnnxGraphBuilder {
        let encoder = try model.textSide().encoder, text = encoder.textConfiguration
        // A tower that reads padding wants rows as long as its context.
        var inputs = [ids(text.readsPadding ? .fixed(text.contextLength) : "sequence")]
        if case .bert = text {
            inputs.append(RecordedInput("lengths", shape: ["batch"]) { .full($0, 1, dtype: .int64) })
        }
        return try record(.text, inputs: inputs, outputs: ["embeddings"]) {
            [encoder.embedTexts($0[0], lengths: $0.count > 1 ? $0[1] : nil)]
        }
    }

    // MARK: - Captions

    /// The tokens of one picture, `[1, pictureTokens, width]`, for their shape.
    private func pictureTokens(_ captioner: any CaptioningModel) -> Tensor {
        let vision = captioner.visionConfiguration
        return withoutGradient {
            captioner.encodeImages(.zeros([1, vision.channels, vision.imageSize, vision.imageSize])).tokens
        }
    }

    private func prefillGraph(_ captioner: any CaptioningModel) throws -> OnnxGraphBuilder {
        let decoderLayers = captioner.decoderConfiguration.layers
        let tokens = pictureTokens(captioner)
        let inputs = [zeros("tokens", ["batch", .fixed(tokens.size(1)), .fixed(tokens.size(2))]), ids("count")]
        let outputs =
            ["logits"] + CaptionState.present.names(layers: captioner.textTransformer.layers + decoderLayers)
            + CaptionState.cross.names(layers: decoderLayers)
        return try record(.captionPrefill, inputs: inputs, outputs: outputs) {
            let cache = captioner.makeCaptionCache(for: $0[0])
            let logits = try self.logits(captioner, $0[1], cache)
            return [logits] + (cache.layers + cache.imageLayers).flatMap { [$0.key, $0.value] }
        }
    }

    private func stepGraph(_ captioner: any CaptioningModel) throws -> OnnxGraphBuilder {
        let text = captioner.textTransformer, decoder = captioner.decoderConfiguration
        let pictureTokens = OnnxDimension.fixed(pictureTokens(captioner).size(1))
        func layer(_ heads: Int, _ width: Int, _ length: OnnxDimension) -> [OnnxDimension] {
            ["batch", .fixed(heads), length, .fixed(width / heads)]
        }
        let past =
            Array(repeating: layer(text.heads, text.width, "past"), count: text.layers)
            + Array(repeating: layer(decoder.heads, decoder.width, "past"), count: decoder.layers)
        let cross = Array(
            repeating: layer(decoder.heads, decoder.width, pictureTokens), count: decoder.layers)
        let names = CaptionState.past.names(layers: past.count) + CaptionState.cross.names(layers: cross.count)
        let shapes = (past + cross).flatMap { [$0, $0] }
        let outputs = ["logits"] + CaptionState.present.names(layers: past.count)
        return try record(
            .captionStep, inputs: [ids("count")] + zip(names, shapes).map(zeros), outputs: outputs
        ) { values in
            let layers = stride(from: 1, to: values.count, by: 2).map { (key: values[$0], value: values[$0 + 1]) }
            let cache = captioner.makeCaptionCache(
                layers: Array(layers[..<past.count]), imageLayers: Array(layers[past.count...]))
            let logits = try self.logits(captioner, values[0], cache)
            return [logits] + cache.layers.flatMap { [$0.key, $0.value] }
        }
    }

    /// Of the token behind the last one, `[batch, vocabulary]`.
    private func logits(_ captioner: any CaptioningModel, _ ids: Tensor, _ cache: CaptionCache) throws -> Tensor {
        captioner.tokenLogits(try captioner.states(next: ids, cache: cache).selected(axis: 1, at: -1))
    }
}
