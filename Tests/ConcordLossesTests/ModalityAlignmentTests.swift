import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Testing

@Suite struct ModalityAlignmentTests {
    private let image = Self.leaf(1), text = Self.leaf(2), audio = Self.leaf(3)
    private let loss: InfoNCE

    init() throws { loss = try InfoNCE(temperature: 0.2) }

    private static func leaf(_ seed: UInt64) -> Tensor {
        let tensor = Tensor.normal([6, 4], generator: Generator(seed: seed)).to(.float64).normalized().detached()
        tensor.requiresGradient = true
        return tensor
    }

    private func rows(_ tensor: Tensor, _ indices: [Int]) -> Tensor { tensor.indexSelected(axis: 0, Tensor(indices)) }

    /// With missing entries a pair is compared over what both have, and weights are those of a mean.
    @Test(arguments: [false, true]) func weightedMeanOverPairs(_ isTiled: Bool) throws {
        let plan: ScorePlan = isTiled ? .tiled(rows: 2) : .dense
        let total = try modalityAlignmentLoss(
            [
                ModalityEmbeddings("image", image),
                ModalityEmbeddings("text", text, isPresent: Tensor([true, false, true, true, true, false])),
                ModalityEmbeddings("audio", audio, isPresent: Tensor([true, true, false, true, false, true])),
            ], weights: [ModalityPair("audio", "image"): 2, ModalityPair("text", "audio"): 0.5], plan: plan
        ) { _ in loss }
        total.backward()
        let gradients = [image, text, audio].map { $0.gradient!.scalars(as: Double.self) }
        for tensor in [image, text, audio] { tensor.gradient = nil }

        let withText = [0, 2, 3, 4], withAudio = [0, 1, 3, 5], withBoth = [0, 3]
        let expected =
            try
            (loss(rows(image, withText), rows(text, withText))
            + loss(rows(image, withAudio), rows(audio, withAudio)) * 2
            + loss(rows(text, withBoth), rows(audio, withBoth)) * 0.5) / 3.5
        expected.backward()
        #expect(abs(total.item() - expected.item()) < 1e-14)
        for (actual, tensor) in zip(gradients, [image, text, audio]) {
            expectClose(actual, tensor.gradient!.scalars(as: Double.self), absolute: 1e-14)
        }
    }

    /// What a missing sample's row holds does not matter, not even NaN.
    @Test func missingRowsAreNotRead() throws {
        let broken = text.detached().cloned()
        broken.selected(axis: 0, at: 1).fill(.nan)
        let present = Tensor([true, false, true, true, true, true])
        let value = try modalityAlignmentLoss([
            ModalityEmbeddings("image", image), ModalityEmbeddings("text", broken, isPresent: present),
        ]) { _ in loss }
        #expect(value.item().isFinite)
    }

    /// A pair that nobody has counts for nothing; when no pair is left, that is an error.
    @Test func pairsWithoutSamples() throws {
        let nobody = Tensor.zeros([6], dtype: .bool)
        let two = [ModalityEmbeddings("image", image), ModalityEmbeddings("text", text)]
        let three = two + [ModalityEmbeddings("audio", audio, isPresent: nobody)]
        #expect(try modalityAlignmentLoss(three) { _ in loss }.item() == loss(image, text).item())
        expect(.emptyBatch, "image, audio") { try modalityAlignmentLoss([two[0], three[2]]) { _ in loss } }
        expect(.emptyBatch, "weight above 0") {
            try modalityAlignmentLoss(two, weights: [ModalityPair("text", "image"): 0]) { _ in loss }
        }
    }

    @Test func wrongInput() {
        let images = ModalityEmbeddings("image", image)
        expect(.invalidArgument, "at least two") { try modalityAlignmentLoss([images]) { _ in loss } }
        expect(.invalidArgument, "the name image") { try modalityAlignmentLoss([images, images]) { _ in loss } }
        expect(.shapeMismatch, "[5, 4]") {
            try modalityAlignmentLoss([images, ModalityEmbeddings("text", rows(text, [0, 1, 2, 3, 4]))]) { _ in loss }
        }
        expect(.shapeMismatch, "isPresent of text") {
            try modalityAlignmentLoss([images, ModalityEmbeddings("text", text, isPresent: Tensor([true]))]) { _ in loss
            }
        }
        expect(.dtypeMismatch, "isPresent of text") {
            try modalityAlignmentLoss([images, ModalityEmbeddings("text", text, isPresent: .ones([6]))]) { _ in loss }
        }
        expect(.invalidArgument, "depth") {
            try modalityAlignmentLoss(
                [images, ModalityEmbeddings("text", text)], weights: [ModalityPair("image", "depth"): 1]
            ) { _ in loss }
        }
        expect(.invalidArgument, "-1") {
            try modalityAlignmentLoss(
                [images, ModalityEmbeddings("text", text)], weights: [ModalityPair("image", "text"): -1]
            ) { _ in loss }
        }
    }

    private func expect(
        _ code: ConcordError.Code, _ word: String, sourceLocation: SourceLocation = #_sourceLocation,
        _ body: () throws -> Tensor
    ) {
        let error = #expect(throws: ConcordError.self, sourceLocation: sourceLocation) { _ = try body() }
        #expect(error?.code == code, sourceLocation: sourceLocation)
        #expect(error?.message.contains(word) == true, "\(error?.message ?? "")", sourceLocation: sourceLocation)
    }
}
