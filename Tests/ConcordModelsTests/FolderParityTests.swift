import ConcordCheckpoint
import ConcordCore
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Testing

/// Every family of checkpoints gives what the peer that saved it computes.
@Suite struct FolderParityTests {
    @Test(arguments: GoldenFolder.dualEncoders, [DType.float32, .float64])
    func dualEncoderGivesThePeersEmbeddingsAndLogits(_ name: String, _ dtype: DType) throws {
        let golden = try GoldenFolder(name)
        let model =
            name == "open-clip-siglip"
            ? try golden.dualEncoder(dtype: dtype) : try DualEncoder.load(golden.folder.path, dtype: dtype)
        #expect(model.store.notes.isEmpty)
        try withoutGradient {
            let images = model.embedImages(golden.pixels(dtype))
            let texts = model.embedTexts(golden.ids, lengths: golden.lengths)
            try golden.expect("image", images, dtype)
            try golden.expect("text", texts, dtype)
            // Without pooling there is a vector for each token and nothing to compare.
            if model.configuration.vision.pooling != .none {
                try golden.expect("logits", model.logits(images: images, texts: texts), dtype)
            }
        }
    }

    @Test(arguments: GoldenFolder.sentenceEncoders, [DType.float32, .float64])
    func sentenceEncoderGivesThePeersEmbeddings(_ name: String, _ dtype: DType) throws {
        let golden = try GoldenFolder(name)
        let model = try SentenceEncoder.load(golden.folder.path, dtype: dtype)
        #expect(model.store.notes.isEmpty)
        try golden.expect("text", withoutGradient { model.embedTexts(golden.ids, lengths: golden.lengths) }, dtype)
    }

    /// Only configurations that say so read padding; for all others a batch is as long as its longest text.
    @Test(arguments: GoldenFolder.dualEncoders)
    func paddingChangesNothingUnlessItIsRead(_ name: String) throws {
        let golden = try GoldenFolder(name), model = try golden.dualEncoder(dtype: .float64)
        let context = model.configuration.text.contextLength, count = golden.ids.shape[1]
        func embed(_ tokens: Int, filler: Double) -> [Double] {
            let own = golden.ids.sliced(axis: 1, from: 0, to: min(tokens, count))
            let padding = Tensor.full([3, max(0, tokens - count)], filler, dtype: .int64)
            let ids = Tensor.concatenated([own, padding], axis: 1)
            return withoutGradient { model.embedTexts(ids, lengths: golden.lengths).scalars(as: Double.self) }
        }
        let short = embed(9, filler: 0), full = embed(context, filler: 0)
        let readsPadding = ["open-clip-clipa", "siglip", "open-clip-siglip"].contains(name)
        #expect(model.configuration.text.readsPadding == readsPadding)
        if readsPadding {
            // The configuration is right: without the padding the vectors are others.
            #expect(zip(short, full).contains { abs($0 - $1) > 1e-3 })
        } else {
            expectClose(short, full, absolute: 1e-14)
        }
    }

    @Test(arguments: GoldenFolder.sentenceEncoders + ["open-clip-bert", "vision-text-dual-encoder"])
    func rowOfABatchEqualsTheTextAlone(_ name: String) throws {
        let golden = try GoldenFolder(name)
        let model: any TextEncoder =
            GoldenFolder.sentenceEncoders.contains(name)
            ? try SentenceEncoder.load(golden.folder.path, dtype: .float64) : try golden.dualEncoder(dtype: .float64)
        try withoutGradient {
            let batch = model.embedTexts(golden.ids, lengths: golden.lengths)
            for (row, length) in try #require(golden.outputs["lengths"]).integers.enumerated() {
                let ids = golden.ids.sliced(axis: 0, from: row, to: row + 1).sliced(axis: 1, from: 0, to: length)
                let alone = model.embedTexts(ids, lengths: nil)
                expectClose(
                    alone.scalars(as: Double.self), batch.selected(axis: 0, at: row).scalars(as: Double.self),
                    absolute: 1e-14, "row \(row)")
            }
        }
    }

    /// The gradients of SigLIP's attention pooling and of a BERT tower, with all that is around them.
    @Test(arguments: GoldenFolder.withGradients)
    func everyGradientIsThePeers(_ name: String) throws {
        let golden = try GoldenFolder(name), model = try golden.dualEncoder(dtype: .float64)
        // The peer's gradients have its weights' names and shapes, so they are read as weights are.
        let expected = try golden.dualEncoder(
            dtype: .float64, from: golden.folder.path + "/gradients.safetensors")
        let coefficients = Tensor(FormulaWeights.formula("coefficients", count: 9), shape: [3, 3]).to(.float64)
        let logits = model.logits(
            images: model.embedImages(golden.pixels(.float64)),
            texts: model.embedTexts(golden.ids, lengths: golden.lengths))
        (logits * coefficients).sum().backward()
        let largest = expected.store.parameters.map { $0.tensor.abs().max().item() }.max() ?? 0
        for (parameter, reference) in zip(model.store.parameters, expected.store.parameters) {
            #expect(parameter.name == reference.name)
            let gradient = try #require(parameter.tensor.gradient, "\(parameter.name) has no gradient")
            let values = reference.tensor.scalars(as: Double.self)
            expectClose(
                gradient.scalars(as: Double.self), values,
                absolute: allowedGradientError(values, relative: 1e-10, largest: largest), parameter.name)
        }
    }
}

/// The error allowed on each element of a gradient.
///
/// Key biases shift all scores of a query alike, so their gradients are zero but for rounding; what is left of them is
/// held to a hundredth of the tolerance on the largest gradient.
func allowedGradientError(_ gradient: [Double], relative: Double, largest: Double) -> Double {
    let own = gradient.map(abs).max() ?? 0
    return own < 1e-12 * largest ? relative * largest / 100 : relative * own
}
