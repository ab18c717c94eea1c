import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

@Suite struct OptimizationTests {
    @Test func cosineScheduleRisesThenFallsToZero() {
        let schedule = LearningRateSchedule(.cosine, peak: 2, warmupSteps: 4, totalSteps: 12)
        let rates = (0..<12).map { schedule($0) }
        // 2 · (step + 1) / 4, then 1 + cos(π (step − 4) / 8): open_clip's cosine_lr by hand.
        let expected = [0.5, 1, 1.5, 2] + (0..<8).map { 1 + cos(.pi * Double($0) / 8) }
        expectClose(rates, expected, absolute: 1e-12)
        #expect(LearningRateSchedule(.constant, peak: 3, warmupSteps: 0, totalSteps: 5)(4) == 3)
    }

    @Test func clippingScalesAllGradientsTogether() {
        let store = ParameterStore(seed: 1)
        let scope = ParameterScope(store)
        let a = scope.parameter("a", [2], .zeros), b = scope.parameter("b", [1], .zeros)
        (a * Tensor([3.0, 0] as [Float], shape: [2])).sum().backward()
        (b * 4.0).sum().backward()
        #expect(abs(GradientClipping.clip(store.trainable, maximum: 10) - 5) < 1e-6)
        #expect(a.gradient?.scalars(as: Float.self) == [3, 0])
        #expect(abs(GradientClipping.clip(store.trainable, maximum: 1) - 5) < 1e-6)
        expectClose(a.gradient?.scalars(as: Float.self) ?? [], [0.6, 0] as [Float], absolute: 1e-6)
        expectClose(b.gradient?.scalars(as: Float.self) ?? [], [0.8] as [Float], absolute: 1e-6)
    }

    @Test func averagesFollowAndSwapBack() {
        let store = ParameterStore(seed: 1)
        let weight = ParameterScope(store).parameter("w", [2], .constant(1))
        let averages = ExponentialMovingAverage(store.parameters, decay: 0.9)
        withoutGradient { weight.fill(2) }
        averages.update(step: 0)  // decay min(0.9, 1/10) → 0.1 · 1 + 0.9 · 2
        averages.withAverages {
            expectClose(weight.scalars(as: Float.self), [1.9, 1.9] as [Float], absolute: 1e-6)
        }
        #expect(weight.scalars(as: Float.self) == [2, 2])
        for step in 1000..<1003 { averages.update(step: step) }  // now the full decay: 2 − 0.1 · 0.9³
        averages.withAverages {
            expectClose(weight.scalars(as: Float.self), [1.9271, 1.9271] as [Float], absolute: 1e-5)
        }
    }

    @Test func matricesDecayAndVectorsDoNot() {
        let store = ParameterStore(seed: 1)
        let scope = ParameterScope(store)
        let matrix = scope.parameter("matrix", [1, 1], .constant(1)),
            vector = scope.parameter("vector", [1], .constant(1))
        ((matrix + vector) * 0.0).sum().backward()
        AdamW(store.trainable, options: .init(weightDecay: 0.5)).step(learningRate: 0.1)
        expectClose(matrix.scalars(as: Float.self), [0.95] as [Float], absolute: 1e-6)
        #expect(vector.scalars(as: Float.self) == [1])
    }

    @Test func eachParameterLearnsAtItsOwnShareOfTheRate() {
        let store = ParameterStore(seed: 1), scope = ParameterScope(store)
        let a = scope.parameter("a", [1, 2], .constant(1)), b = scope.parameter("b", [1, 2], .constant(1))
        let optimizer = AdamW(store.trainable, options: .init(epsilon: 1e-6, weightDecay: 0.5)) {
            $0.name == "a" ? 1 : 0.25
        }
        let slope = Tensor([3, -0.5] as [Float], shape: [1, 2])
        ((a + b) * slope).sum().backward()
        optimizer.step(learningRate: 0.1)
        // At the first step both moments are the gradient's, so that AdamW by hand is
        // p · (1 − rate · decay) − rate · g / (|g| + ε).
        func expected(_ rate: Double) -> [Double] {
            [3, -0.5].map { g in 1 - rate * 0.5 - rate * g / (abs(g) + 1e-6) }
        }
        expectClose(a.scalars(as: Float.self), expected(0.1), absolute: 1e-6)
        expectClose(b.scalars(as: Float.self), expected(0.025), absolute: 1e-6)
        #expect(Set(optimizer.namedState.map(\.0)).count == 6)
    }

    @Test func freezingByPatternStopsTraining() throws {
        let store = ParameterStore(seed: 1)
        let scope = ParameterScope(store)
        _ = Linear(scope / "text_model" / "layers" / 0, 2, 2)
        _ = Linear(scope / "vision_model" / "layers" / 0, 2, 2)
        try store.freeze(matching: ["text_model.*"])
        #expect(store.trainable.map(\.name) == ["vision_model.layers.0.weight", "vision_model.layers.0.bias"])
        #expect(throws: ConcordError.self) { try store.freeze(matching: ["textmodel.*"]) }
    }

    @Test func oneErrorListsEveryKeyThatDoesNotFit() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/model.safetensors"
            try TensorFile.write(
                [("layer.weight", Tensor.zeros([3, 2])), ("layer.biass", Tensor.zeros([2]))], to: path)
            let store = ParameterStore(sources: [
                ParameterSource(try CheckpointReader(path: path), layout: .huggingFace)
            ])
            _ = Linear(ParameterScope(store) / "layer", 2, 2)
            let error = #expect(throws: ConcordError.self) { try store.finishLoading() }
            let message = error?.message ?? ""
            #expect(error?.code == .invalidCheckpoint)
            // The missing bias, its misspelt neighbour, and the misshapen weight, all in one message.
            #expect(message.contains("layer.bias") && message.contains("layer.biass"))
            #expect(message.contains("[3, 2]") && message.contains("[2, 2]"))
        }
    }

    @Test func activationCheckpointingChangesNothing() {
        func run(_ recomputes: Bool) -> (Double, [[Double]]) {
            let store = ParameterStore(seed: 3, dtype: .float64)
            store.isTraining = true
            store.usesActivationCheckpointing = recomputes
            let transformer = Transformer(
                ParameterScope(store),
                TransformerConfiguration(
                    width: 8, intermediateWidth: 16, layers: 3, heads: 2, activation: .gelu, layerNormEpsilon: 1e-5,
                    isCausal: true, initialization: .depthScaledNormal))
            let input = Tensor.normal([2, 5, 8], generator: Generator(seed: 4)).to(.float64)
            let loss = transformer(input).square().mean()
            loss.backward()
            return (loss.item(), store.parameters.map { $0.tensor.gradient?.scalars(as: Double.self) ?? [] })
        }
        let plain = run(false), recomputed = run(true)
        #expect(plain.0 == recomputed.0)
        for (a, b) in zip(plain.1, recomputed.1) { expectClose(a, b, absolute: 1e-15) }
        #expect(plain.1.allSatisfy { !$0.isEmpty })
    }

    @Test func dropoutRepeatsFromItsSeedAndOnlyInTraining() {
        let store = ParameterStore(seed: 1)
        let dropout = Dropout(ParameterScope(store), probability: 0.5)
        let ones = Tensor.ones([1000])
        #expect(dropout(ones).scalars(as: Float.self) == ones.scalars(as: Float.self))
        store.isTraining = true
        store.generator.seed(7)
        let first = dropout(ones).scalars(as: Float.self)
        store.generator.seed(7)
        #expect(dropout(ones).scalars(as: Float.self) == first)
        #expect(Set(first) == [0, 2])
        #expect((400...600).contains(first.count { $0 == 2 }))
    }
}
