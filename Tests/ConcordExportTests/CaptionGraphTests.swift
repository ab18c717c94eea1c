import ConcordCheckpoint
import ConcordCore
import ConcordEvaluate
import ConcordExport
import ConcordModels
import ConcordNN
import ConcordONNX
import ConcordRuntime
import ConcordTensor
import ConcordTestSupport
import ConcordText
import Testing

/// The graphs that caption, run by ONNX Runtime, against the model in libtorch.
@Suite struct CaptionGraphTests {
    static let models: [(String, TextTransformerConfiguration.ClassTokenMask)] =
        ExportFixture.coCas.map { ($0, .legacy) } + [("coca", .correct)]

    private struct Fixture {
        let model: EmbeddingModel
        let coCa: any CaptioningModel
        let sessions: [ArtifactManifest.GraphRole: OnnxSession]
        let operations: [ArtifactManifest.GraphRole: [String: Int]]

        init(_ name: String, _ mask: TextTransformerConfiguration.ClassTokenMask?, fused: Bool) throws {
            model = try withTemporaryFolder { try ExportFixture.copy(name, to: $0 + "/model", mask: mask) }
            coCa = try model.captioner().model
            let graphs = try ModelGraphs.record(model, usesFusedOperations: fused).models
            sessions = try graphs.mapValues {
                try OnnxSession(bytes: $0.bytes(), options: OnnxSessionOptions(threadsPerRun: 1))
            }
            operations = graphs.mapValues {
                Dictionary(grouping: $0.proto.graph.node, by: \.opType).mapValues(\.count)
            }
        }

        func run(_ role: ArtifactManifest.GraphRole, _ inputs: [String: OnnxValue]) throws -> [String: OnnxValue] {
            try #require(sessions[role]).run(inputs)
        }

        func pixels(_ batch: Int) -> Tensor {
            let size = coCa.visionConfiguration.imageSize
            return Tensor.normal([batch, 3, size, size], generator: Generator(seed: UInt64(batch)))
        }

        func ids(_ rows: Int, _ count: Int, from start: Int = 2) throws -> (Tensor, OnnxValue) {
            let ids = (0..<rows * count).map { Int64(start + ($0 * 5 + $0 / count) % 7) }
            return (Tensor(ids, shape: [rows, count]), try OnnxValue(ids, shape: [rows, count]))
        }

        /// The values that a graph gave for the next run.
        func state(_ results: [String: OnnxValue], cross: [String: OnnxValue]) -> [String: OnnxValue] {
            var state = cross.filter { $0.key.hasPrefix("cross.") }
            for (name, value) in results where name.hasPrefix("present.") {
                state["past." + name.dropFirst("present.".count)] = value
            }
            return state
        }
    }

    private static func value(_ tensor: Tensor) throws -> OnnxValue {
        try tensor.contiguous().withUnsafeBytes {
            try OnnxValue(bytes: $0, elementType: OnnxElementType(tensor.dtype), shape: tensor.shape)
        }
    }

    private func expectSame(_ found: OnnxValue?, _ expected: Tensor, _ name: String) throws {
        let found = try #require(found)
        #expect(found.shape == expected.shape, "\(name)")
        expectClose(try found.values(), expected.scalars(as: Float.self), absolute: 2e-5, name)
    }

    /// Beginnings of several lengths, then steps of one token and of several, at batches that were not recorded.
    @Test(arguments: models, [true, false])
    func eachTokenHasTheSameLogits(
        _ model: (String, TextTransformerConfiguration.ClassTokenMask), fused: Bool
    ) throws {
        let fixture = try Fixture(model.0, model.1, fused: fused), coCa = fixture.coCa
        for (batch, counts) in [(1, [1, 1, 1, 1]), (2, [3, 1, 2]), (5, [2, 3, 1, 1]), (8, [1, 6])] {
            let pixels = fixture.pixels(batch)
            let (embeddings, tokens) = withoutGradient { coCa.encodeImages(pixels) }
            let image = try fixture.run(.image, ["pixels": Self.value(pixels)])
            try expectSame(image["embeddings"], embeddings, "picture")
            try expectSame(image["tokens"], tokens, "tokens")
            let cache = coCa.makeCaptionCache(for: tokens)
            var state = ["tokens": try Self.value(tokens)], role = ArtifactManifest.GraphRole.captionPrefill
            var cross: [String: OnnxValue] = [:]
            for count in counts {
                let (ids, value) = try fixture.ids(batch, count, from: 1 + count % 4)
                let states = try coCa.states(next: ids, cache: cache)
                let expected = withoutGradient { coCa.tokenLogits(states.selected(axis: 1, at: -1)) }
                state["ids"] = value
                let results = try fixture.run(role, state)
                let name = "\(role) of \(count) tokens for \(batch)"
                try expectSame(results["logits"], expected, name)
                for (index, layer) in cache.layers.enumerated() {
                    try expectSame(results["present.\(index).key"], layer.key, "\(name), key \(index)")
                    try expectSame(results["present.\(index).value"], layer.value, "\(name), value \(index)")
                }
                if role == .captionPrefill { cross = results }
                state = fixture.state(results, cross: cross)
                role = .captionStep
            }
        }
    }

    /// The step graph can begin, too, where no token has been.
    @Test(arguments: [true, false])
    func aStepCanBeTheFirst(fused: Bool) throws {
        let fixture = try Fixture("coca", nil, fused: fused), session = try #require(fixture.sessions[.captionStep])
        let tokens = withoutGradient { fixture.coCa.encodeImages(fixture.pixels(3)).tokens }
        for count in [1, 3] {
            let (_, ids) = try fixture.ids(3, count)
            let first = try fixture.run(.captionPrefill, ["tokens": Self.value(tokens), "ids": ids])
            var inputs = first.filter { $0.key.hasPrefix("cross.") }
            inputs["ids"] = ids
            for input in session.inputs where input.name.hasPrefix("past.") {
                let shape = input.shape.enumerated().map { axis, length -> Int in
                    if case .fixed(let length) = length { length } else { axis == 0 ? 3 : 0 }
                }
                inputs[input.name] = try OnnxValue(zeros: .float32, shape: shape)
            }
            let step = try session.run(inputs)
            for name in session.outputs.map(\.name) {
                let (a, b) = (try #require(step[name]), try #require(first[name]))
                #expect(a.shape == b.shape)
                expectClose(try a.values(of: Float.self), try b.values(of: Float.self), absolute: 2e-6, name)
            }
        }
    }

    @Test(arguments: models, [true, false])
    func greedyCaptionsHaveTheModelsTokens(
        _ model: (String, TextTransformerConfiguration.ClassTokenMask), fused: Bool
    ) throws {
        let fixture = try Fixture(model.0, model.1, fused: fused), coCa = fixture.coCa
        let pixels = fixture.pixels(6), session = try CaptionSession(coCa, pixels: pixels)
        let length = coCa.textTransformer.contextLength - 1
        let expected = try coCa.captions(of: pixels, options: GenerationOptions(maxTokens: length)).map { $0[0].tokens }
        let image = try fixture.run(.image, ["pixels": Self.value(pixels)])
        var state = ["tokens": try #require(image["tokens"])], cross: [String: OnnxValue] = [:]
        var next = [Int64](repeating: Int64(session.startToken), count: 6), found = [[Int32]](repeating: [], count: 6)
        for step in 0..<length {
            state["ids"] = try OnnxValue(next, shape: [6, 1])
            let results = try fixture.run(step == 0 ? .captionPrefill : .captionStep, state)
            if step == 0 { cross = results }
            state = fixture.state(results, cross: cross)
            let logits = try #require(results["logits"]).values(of: Float.self)
            for row in 0..<6 {
                let own = logits[row * session.vocabularySize..<(row + 1) * session.vocabularySize].enumerated()
                    .filter { Int32($0.offset) != session.padToken }
                let token = try #require(own.max { ($0.element, $1.offset) < ($1.element, $0.offset) }).offset
                next[row] = Int64(token)
                if found[row].last != session.endToken { found[row].append(Int32(token)) }
            }
        }
        #expect(found == expected)
        #expect(Set(expected).count > 1 || Set(expected.flatMap(\.self)).count > 1, "captions that say something")
    }

    /// A row that fills the context has no room for the token that the legacy mask opens.
    @Test(arguments: models, [true, false])
    func textsUpToTheContextGiveTheSame(
        _ model: (String, TextTransformerConfiguration.ClassTokenMask), fused: Bool
    ) throws {
        let fixture = try Fixture(model.0, model.1, fused: fused), text = fixture.coCa.textTransformer
        for tokens in 2...text.contextLength {
            for used in Set([2, tokens - 1, tokens]) {
                let ids = (0..<3 * tokens).map { index in
                    index % tokens < used ? Int64(1 + index % (text.vocabularySize - 1)) : Int64(text.padToken)
                }
                let expected = withoutGradient {
                    fixture.coCa.embedTexts(Tensor(ids, shape: [3, tokens]), lengths: nil)
                }
                let found = try fixture.run(.text, ["ids": OnnxValue(ids, shape: [3, tokens])])
                try expectSame(found["embeddings"], expected, "\(used) of \(tokens) tokens")
            }
        }
    }

    /// A step costs what its products cost: nothing is put together or turned round that need not be.
    @Test func aStepIsLean() throws {
        let fixture = try Fixture("coca", nil, fused: true), step = try #require(fixture.operations[.captionStep])
        let layers = fixture.coCa.textTransformer.layers, decoderLayers = fixture.coCa.decoderConfiguration.layers
        #expect(step["MultiHeadAttention"] == layers + 2 * decoderLayers)
        for operation in ["Concat", "Transpose", "Reshape", "Softmax", "LessOrEqual", "Range", "Where", "Expand"] {
            #expect(step[operation] == nil, "\(operation)")
        }
        let plain = try #require(Fixture("coca", nil, fused: false).operations[.captionStep])
        #expect(plain["MultiHeadAttention"] == nil && plain["Concat"] != nil)
    }
}
