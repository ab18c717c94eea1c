import ConcordCheckpoint
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import ConcordTrain
import Testing

/// Where parameters stand in their towers, and what follows for their learning rates.
@Suite struct TowerTests {
    private static let vision = VisionTransformerConfiguration(
        width: 8, intermediateWidth: 16, layers: 3, heads: 2, imageSize: 8, patchSize: 4)
    private static let bert = BERTConfiguration(
        vocabularySize: 20, width: 8, intermediateWidth: 16, layers: 2, heads: 2, positions: 12)

    private func model(_ text: TextTowerConfiguration, adaptation: LowRankAdaptation? = nil) -> DualEncoder {
        DualEncoder(
            DualEncoderConfiguration(text: text, vision: Self.vision, projectionWidth: 8),
            store: ParameterStore(seed: 1, adaptation: adaptation))
    }

    private var clip: DualEncoder {
        model(
            .transformer(
                .init(
                    vocabularySize: 20, width: 8, intermediateWidth: 16, layers: 3, heads: 2, contextLength: 6,
                    startToken: 18, endToken: 19)))
    }

    private func names(_ model: DualEncoder, _ tower: Tower, _ part: Tower.Part) -> [String] {
        model.store.parameters.filter { Tower.place(of: $0).map { $0 == (tower, part) } ?? false }.map(\.name)
    }

    @Test func everyParameterOfCLIPHasItsPlace() {
        let model = clip
        #expect(
            names(model, .image, .embeddings) == [
                "vision_model.embeddings.patch_embedding.weight", "vision_model.embeddings.class_embedding",
                "vision_model.embeddings.position_embedding.weight", "vision_model.pre_layrnorm.weight",
                "vision_model.pre_layrnorm.bias",
            ])
        #expect(
            names(model, .image, .head) == [
                "vision_model.post_layernorm.weight", "vision_model.post_layernorm.bias", "visual_projection.weight",
            ])
        #expect(
            names(model, .text, .head) == [
                "text_model.final_layer_norm.weight", "text_model.final_layer_norm.bias", "text_projection.weight",
            ])
        for block in 0..<3 {
            #expect(names(model, .image, .block(block)).count == 16)
            #expect(names(model, .text, .block(block)).count == 16)
        }
        #expect(model.store.parameters.filter { Tower.place(of: $0) == nil }.map(\.name) == ["logit_scale"])
    }

    @Test func everyParameterOfATowerOfBERTHasItsPlace() {
        let model = model(.bert(Self.bert))
        #expect(names(model, .text, .embeddings).count == 5)
        #expect(names(model, .text, .block(0)).count == 16 && names(model, .text, .block(1)).count == 16)
        #expect(
            names(model, .text, .head) == ["text_model.pooler.dense.weight", "text_model.pooler.dense.bias"])
    }

    @Test func adaptersReachTheBlocksOfBothKindsAndNothingElse() {
        let adaptation = LowRankAdaptation(
            rank: 2, alpha: 2, targets: Set(LowRankAdaptation.Target.allCases), roots: ["vision_model", "text_model"])
        let adapted = model(.bert(Self.bert), adaptation: adaptation)
        let places = adapted.store.parameters.filter { $0.origin == .adapter }.compactMap { Tower.place(of: $0) }
        // Two matrices for each of six layers of a block.
        for block in 0..<3 { #expect(places.count { $0 == (.image, .block(block)) } == 12) }
        for block in 0..<2 { #expect(places.count { $0 == (.text, .block(block)) } == 12) }
        #expect(places.count == 60)
        // All else starts as it does without adapters.
        func base(_ model: DualEncoder) -> [[Float]] {
            model.store.parameters.filter { $0.origin != .adapter }.map { $0.tensor.scalars(as: Float.self) }
        }
        #expect(base(adapted) == base(model(.bert(Self.bert))))
    }

    @Test func ratesFallWithTheDistanceFromTheHead() throws {
        let model = clip, decay = LayerDecay(0.5, model: model)
        func scale(_ name: String) throws -> Double {
            decay.factor(for: try #require(model.store.parameters.first { $0.name.hasPrefix(name) }))
        }
        // Three blocks: 0.5 to the power of 4 below them, 3, 2 and 1 in them, 0 behind.
        for (root, projection) in [("vision_model", "visual_projection"), ("text_model", "text_projection")] {
            #expect(try scale(root + ".embeddings.") == 0.0625)
            #expect(try (0..<3).map { try scale("\(root).encoder.layers.\($0).") } == [0.125, 0.25, 0.5])
            #expect(try scale(projection) == 1)
        }
        #expect(try scale("vision_model.post_layernorm") == 1 && scale("text_model.final_layer_norm") == 1)
        #expect(try scale("vision_model.pre_layrnorm") == 0.0625)
        #expect(try scale("logit_scale") == 1)
    }
}
