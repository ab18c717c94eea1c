import ConcordCheckpoint
import ConcordCore
import ConcordExport
import ConcordModels
import ConcordNN
import ConcordONNX
import ConcordRuntime
import ConcordTensor
import ConcordTestSupport
import Testing

/// Towers of every family, recorded, and run by ONNX Runtime at sizes that they were not recorded with.
@Suite struct TowerRecordingTests {
    static let dualEncoders = [
        "huggingface-clip", "huggingface-clip-gelu", "open-clip", "open-clip-quickgelu-custom-text", "open-clip-clipa",
        "open-clip-average", "open-clip-eos", "open-clip-tokens", "siglip", "open-clip-bert",
        "vision-text-dual-encoder",
    ]

    private static func folder(_ name: String) -> String { Golden.folder("models") + "/folders/" + name }

    private static func session(_ graph: OnnxGraphBuilder) throws -> OnnxSession {
        try OnnxSession(bytes: graph.build().bytes(), options: OnnxSessionOptions(threadsPerRun: 1))
    }

    private static func value(_ tensor: Tensor) throws -> OnnxValue {
        try tensor.contiguous().withUnsafeBytes {
            try OnnxValue(bytes: $0, elementType: OnnxElementType(tensor.dtype), shape: tensor.shape)
        }
    }

    private static func pixels(_ shape: [Int], seed: UInt64 = 1) -> Tensor {
        Tensor.normal(shape, generator: Generator(seed: seed))
    }

    /// Ids below `vocabulary`, the largest once in each row, at another place in each.
    private static func ids(_ shape: [Int], vocabulary: Int) -> Tensor {
        var random = RandomSource(seed: UInt64(shape[0] * 100 + shape[1]))
        var ids = (0..<shape[0] * shape[1]).map { _ in 1 + Int(random.next() % UInt64(vocabulary - 2)) }
        for row in 0..<shape[0] { ids[row * shape[1] + (row * 3 + 1) % shape[1]] = vocabulary - 1 }
        return Tensor(ids, shape: shape)
    }

    /// - Parameter absolute: 2e-6 for unit vectors, as in all tests of parity; logits, which are up to 3 here and which
    ///   libtorch itself rounds by 2e-6, have those tests' 2e-5.
    private func expectClose(
        _ value: OnnxValue?, _ tensor: Tensor, absolute: Double = 2e-6, _ name: String
    ) throws {
        let value = try #require(value)
        #expect(value.shape == tensor.shape)
        let expected = tensor.scalars(as: Float.self)
        ConcordTestSupport.expectClose(try value.values(), expected, absolute: absolute, name)
    }

    @Test(arguments: dualEncoders, [true, false])
    func imageTowersGiveTheSame(_ name: String, fused: Bool) throws {
        let model = try DualEncoder.load(Self.folder(name))
        let vision = model.configuration.vision
        var recorder = GraphRecorder(sizes: ["batch": (2, 3)], parameters: model.store.parameters)
        recorder.usesFusedOperations = fused
        let shape: [OnnxDimension] = [
            "batch", .fixed(vision.channels), .fixed(vision.imageSize), .fixed(vision.imageSize),
        ]
        let graph = try recorder.record(
            "image", inputs: [RecordedInput("pixels", shape: shape) { Self.pixels($0) }], outputs: ["embedding"]
        ) { [model.embedImages($0[0])] }
        let session = try Self.session(graph)
        #expect(session.outputs[0].shape.first == "batch")
        for batch in [1, 2, 7] {
            let pixels = Self.pixels([batch, vision.channels, vision.imageSize, vision.imageSize], seed: UInt64(batch))
            let expected = withoutGradient { model.embedImages(pixels) }
            let result = try session.run(["pixels": Self.value(pixels)])
            try expectClose(result["embedding"], expected, "\(name), batch \(batch)")
        }
        // Constants have their parameters' names, and nothing of the other tower came along.
        let names = try graph.build().weights.keys
        #expect(names.contains { $0.hasPrefix("vision_model.") } && !names.contains { $0.hasPrefix("text_model.") })
    }

    @Test(arguments: dualEncoders, [true, false])
    func textTowersGiveTheSame(_ name: String, fused: Bool) throws {
        let model = try DualEncoder.load(Self.folder(name))
        let text = model.configuration.text, context = text.contextLength
        try check(name, text, fused, context: context, model.store.parameters) { model.embedTexts($0, lengths: $1) }
    }

    @Test(arguments: ["bert-mean", "bert-cls", "roberta-mean"], [true, false])
    func sentenceEncodersGiveTheSame(_ name: String, fused: Bool) throws {
        let model = try SentenceEncoder.load(Self.folder(name))
        let context = model.textConfiguration.contextLength
        try check(name, model.textConfiguration, fused, context: context, model.store.parameters) {
            model.embedTexts($0, lengths: $1)
        }
    }

    /// CLAP unfused and fused, Whisper's encoder and AST: tiny, with random weights.
    @Test(arguments: ["clap", "clap-fused", "whisper", "ast"], [true, false])
    func audioTowersGiveTheSame(_ name: String, fused: Bool) throws {
        var htsat = HTSATConfiguration(
            bins: 8, pictureSize: 32, patchWidth: 8, depths: [2, 2], heads: [2, 4], windowSize: 4, perceptronRatio: 2)
        htsat.fusesLongClips = name == "clap-fused"
        let architecture: ModelFolder.Architecture =
            switch name {
            case "whisper":
                .whisperEncoder(.init(bins: 6, width: 8, intermediateWidth: 16, layers: 2, heads: 2, positions: 16))
            case "ast":
                .ast(
                    .init(
                        bins: 12, frames: 22, width: 8, intermediateWidth: 16, layers: 2, heads: 2, patchSize: 4,
                        binStride: 3, frameStride: 5))
            default:
                .clap(
                    .init(
                        text: .init(
                            family: .roberta, vocabularySize: 20, width: 8, intermediateWidth: 16, layers: 1, heads: 2,
                            positions: 12, tokenTypes: 1, padToken: 1), audio: htsat, projectionWidth: 6))
            }
        let model = try #require(architecture.makeModel(store: ParameterStore(seed: 3)) as? any AudioEncoder)
        let tower = model.audioConfiguration, frames = min(101, tower.frames.upperBound)
        func features(_ batch: Int) -> Tensor { Self.pixels([batch, tower.channels, frames, tower.bins]) }
        var recorder = GraphRecorder(sizes: ["batch": (2, 3)], parameters: model.store.parameters)
        recorder.usesFusedOperations = fused
        let inputs = [
            RecordedInput(
                "features", shape: ["batch", .fixed(tower.channels), .fixed(frames), .fixed(tower.bins)]
            ) { features($0[0]) },
            RecordedInput("lengths", shape: ["batch"]) { .full($0, 9, dtype: .int64) },
        ]
        let takesLengths = ["clap-fused", "whisper"].contains(name)
        let graph = try recorder.record(
            "audio", inputs: takesLengths ? inputs : [inputs[0]], outputs: ["embedding"]
        ) { [model.embedAudio($0[0], lengths: $0.count > 1 ? $0[1] : nil)] }
        let session = try Self.session(graph)
        for batch in [1, 2, 7] {
            // Whole, shorter, and longer than what is seen.
            let lengths = Tensor((0..<batch).map { [frames, 5, frames + 1][$0 % 3] }, shape: [batch])
            let values = features(batch)
            let expected = withoutGradient { model.embedAudio(values, lengths: lengths) }
            var given = ["features": try Self.value(values)]
            if takesLengths { given["lengths"] = try Self.value(lengths) }
            try expectClose(session.run(given)["embedding"], expected, "\(name), batch \(batch)")
        }
    }

    private func check(
        _ name: String, _ text: TextTowerConfiguration, _ fused: Bool, context: Int, _ parameters: [Parameter],
        embed: (_ ids: Tensor, _ lengths: Tensor?) -> Tensor
    ) throws {
        let vocabulary = text.vocabularySize
        let takesLengths = if case .bert = text { true } else { false }
        var recorder = GraphRecorder(sizes: ["batch": (3, 4), "sequence": (5, 8)], parameters: parameters)
        recorder.usesFusedOperations = fused
        let length: OnnxDimension = text.readsPadding ? .fixed(context) : "sequence"
        var inputs = [RecordedInput("ids", shape: ["batch", length]) { Self.ids($0, vocabulary: vocabulary) }]
        if takesLengths {
            inputs.append(RecordedInput("lengths", shape: ["batch"]) { Tensor(Array(2..<2 + $0[0]), shape: $0) })
        }
        let graph = try recorder.record("text", inputs: inputs, outputs: ["embedding"]) {
            [embed($0[0], $0.count > 1 ? $0[1] : nil)]
        }
        let session = try Self.session(graph)
        for (batch, tokens) in text.readsPadding ? [(1, context), (4, context)] : [(1, 4), (3, 9), (7, 6)] {
            let ids = Self.ids([batch, tokens], vocabulary: vocabulary)
            let lengths = takesLengths ? Tensor((0..<batch).map { 1 + $0 % tokens }, shape: [batch]) : nil
            var inputs = ["ids": try Self.value(ids)]
            inputs["lengths"] = try lengths.map(Self.value)
            let expected = withoutGradient { embed(ids, lengths) }
            try expectClose(
                session.run(inputs)["embedding"], expected, "\(name), \(batch) rows of \(tokens) tokens")
        }
    }

    @Test func fusesWhatONNXRuntimeDoesNotFind() throws {
        let model = try DualEncoder.load(Self.folder("huggingface-clip"))
        let layers = model.configuration.vision.layers, size = model.configuration.vision.imageSize
        func operations(fused: Bool) throws -> [String: Int] {
            var recorder = GraphRecorder(sizes: ["batch": (2, 3)], parameters: model.store.parameters)
            recorder.usesFusedOperations = fused
            let input = RecordedInput("pixels", shape: ["batch", 3, .fixed(size), .fixed(size)]) { Self.pixels($0) }
            let graph = try recorder.record("image", inputs: [input], outputs: ["y"]) { [model.embedImages($0[0])] }
            return try Dictionary(grouping: graph.build().proto.graph.node, by: \.opType).mapValues(\.count)
        }
        let fused = try operations(fused: true), plain = try operations(fused: false)
        #expect(fused["MultiHeadAttention"] == layers && fused["QuickGelu"] == layers)
        // Slower on a processor than what it stands for.
        #expect(fused["SkipLayerNormalization"] == nil)
        // Patches are cut out and multiplied, and never made a picture again.
        #expect(fused["Conv"] == nil && plain["Conv"] == 1 && fused["Transpose"] == 1)
        // What the fused ones replaced is gone.
        #expect(fused["Softmax"] == nil && fused["Sigmoid"] == nil)
        #expect(plain["Softmax"] == layers && plain["Sigmoid"] == layers && plain["MultiHeadAttention"] == nil)
    }

    /// CoCa as it is trained: both embeddings, and what the language head reads at every token of a caption.
    @Test(arguments: ["coca", "coca-same-width", "coca-patches"], [true, false])
    func coCaGivesTheSame(_ name: String, fused: Bool) throws {
        let model = try CoCa.load(Self.folder(name))
        let size = model.configuration.vision.imageSize, vocabulary = model.configuration.text.vocabularySize
        let context = model.configuration.text.contextLength
        var recorder = GraphRecorder(
            sizes: ["batch": (5, 9), "sequence": (context - 3, context - 1)], parameters: model.store.parameters)
        recorder.usesFusedOperations = fused
        let inputs = [
            RecordedInput("pixels", shape: ["batch", 3, .fixed(size), .fixed(size)]) { Self.pixels($0) },
            RecordedInput("ids", shape: ["batch", "sequence"]) { Self.ids($0, vocabulary: vocabulary) },
        ]
        func run(_ inputs: [Tensor]) -> [Tensor] {
            let output = model(inputs[0], inputs[1])
            return [output.images, output.texts, model.tokenLogits(output.states)]
        }
        let graph = try recorder.record("coca", inputs: inputs, outputs: ["images", "texts", "logits"], run)
        let operations = try Set(graph.build().proto.graph.node.map(\.opType))
        #expect(operations.contains("Softmax") != fused && operations.contains("MultiHeadAttention") == fused)
        let session = try Self.session(graph)
        for (batch, tokens) in [(1, context - 2), (5, context - 4)] {
            let pixels = Self.pixels([batch, 3, size, size]), ids = Self.ids([batch, tokens], vocabulary: vocabulary)
            let results = try session.run(["pixels": Self.value(pixels), "ids": Self.value(ids)])
            for (key, expected) in zip(["images", "texts", "logits"], withoutGradient { run([pixels, ids]) }) {
                try expectClose(
                    results[key], expected, absolute: key == "logits" ? 2e-5 : 2e-6,
                    "\(name), \(key), \(batch) rows of \(tokens) tokens")
            }
        }
    }
}
