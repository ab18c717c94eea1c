import ConcordCheckpoint
import ConcordCore
import ConcordExport
import ConcordModelTestSupport
import ConcordModels
import ConcordNN
import ConcordONNX
import ConcordRuntime
import ConcordTensor
import ConcordTestSupport
import Testing

/// Fused models, recorded for each set of modalities that a row may have, and run by ONNX Runtime.
///
/// Which rows have which modalities decides what is computed, so each set is a graph of its own, and all share weights.
/// Sounds come padded to one length, since a graph cannot say that a convolution halves theirs.
@Suite struct FusionRecordingTests {
    private typealias Fixture = FusionFixture

    private static let configurations: [FusedModelConfiguration] = [
        Fixture.configuration(at: 0, .full, .mean), Fixture.configuration(at: 1, .full, .gated, .token),
        Fixture.configuration(at: 1, .bottleneck(tokens: 2), .attention),
        Fixture.configuration(at: 2, .cross, .lowRank(rank: 2), .prompt(tokens: 2)),
        Fixture.configuration(at: 1, .latents(count: 3), .concat), Fixture.configuration(at: 3, .full, .gated),
    ]

    private static func value(_ tensor: Tensor) throws -> OnnxValue {
        try tensor.contiguous().withUnsafeBytes {
            try OnnxValue(bytes: $0, elementType: OnnxElementType(tensor.dtype), shape: tensor.shape)
        }
    }

    private func shape(_ modality: Modality) -> [OnnxDimension] {
        switch modality {
        case .image: ["batch", 3, 8, 8]
        case .text: ["batch", "sequence"]
        default: ["batch", 1, .fixed(Fixture.frames), .fixed(Fixture.bins)]
        }
    }

    /// The batch that tensors in order of a graph's inputs are.
    private func batch(_ pattern: [Modality], _ tensors: [Tensor]) throws -> Batch {
        var rest = tensors.makeIterator(), parts = [Modality: ModalityBatch]()
        for modality in pattern {
            guard let values = rest.next() else { break }
            parts[modality] = ModalityBatch(values, lengths: modality == .image ? nil : rest.next())
        }
        return try Batch(parts)
    }

    @Test(arguments: configurations, Fixture.patterns) func everyPatternGivesTheSame(
        _ configuration: FusedModelConfiguration, _ pattern: [Modality]
    ) throws {
        let model = try Fixture.model(configuration, dtype: .float32)
        let recorder = GraphRecorder(
            sizes: ["batch": (2, 3), "sequence": (5, 7)], parameters: model.store.parameters)
        let inputs = pattern.flatMap { modality -> [RecordedInput] in
            let values = RecordedInput(modality.name, shape: shape(modality)) { shape in
                modality == .text ? .zeros(shape, dtype: .int64) : .zeros(shape)
            }
            let lengths = RecordedInput(modality.name + "_lengths", shape: ["batch"]) { .full($0, 1, dtype: .int64) }
            return modality == .image ? [values] : [values, lengths]
        }
        let graph = try recorder.record("fused", inputs: inputs, outputs: ["embedding"]) {
            try [model.fused(self.batch(pattern, $0)).vectors.selected(axis: 1, at: 0)]
        }
        let session = try OnnxSession(bytes: graph.build().bytes(), options: OnnxSessionOptions(threadsPerRun: 1))
        for rows in [[4], [0, 1, 5], [6, 5, 4, 3, 2, 1, 0]] {
            let tensors = pattern.flatMap { modality -> [Tensor] in
                let (values, lengths) = Fixture.values(modality, rows, dtype: .float32)
                return [values] + (lengths.map { [$0] } ?? [])
            }
            let expected = try withoutGradient { try model(self.batch(pattern, tensors)).vectors }
            let values = try Dictionary(
                uniqueKeysWithValues: zip(inputs.map(\.name), tensors.map { try Self.value($0) }))
            let result = try #require(session.run(values)["embedding"])
            #expect(result.shape == [rows.count, Fixture.width])
            expectClose(
                try result.values(of: Float.self), expected.scalars(as: Float.self), absolute: 2e-6,
                "\(pattern), \(rows)")
        }
    }
}
