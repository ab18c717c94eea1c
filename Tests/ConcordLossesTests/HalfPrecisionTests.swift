import ConcordCore
import ConcordLosses
import ConcordTensor
import Testing

/// The losses that models are trained by, of embeddings in a half type and inside autocast: computed in float32, in every
/// plan.
@Suite struct HalfPrecisionTests {
    private static let losses = ["infonce", "sigmoid", "triplet"]
    private static let halves = [DType.bfloat16, .float16]

    private func loss(_ name: String) throws -> any ContrastiveLoss {
        // Scores of 100 have one digit behind the point in float16, and none in bfloat16.
        let scale = Tensor(4.6), bias = Tensor(-10)
        scale.requiresGradient = true
        switch name {
        case "infonce": return InfoNCE(logitScale: scale)
        case "sigmoid": return SigmoidLoss(logitScale: scale, logitBias: bias)
        default: return try TripletMarginLoss(margin: 0.2, distance: .cosine, mining: .any, averaging: .all)
        }
    }

    private func vectors(_ seed: UInt64, _ dtype: DType) -> Tensor {
        let vectors = Tensor.normal([12, 16], generator: Generator(seed: seed)).normalized().to(dtype)
        vectors.requiresGradient = true
        return vectors
    }

    /// The value of a loss, and the gradients of both sides as they reach the towers.
    private func run(
        _ loss: any ContrastiveLoss, _ sides: [Tensor], _ plan: ScorePlan, in scope: DType?
    ) throws -> [[Float]] {
        let value =
            if let scope { try autocast(scope) { try loss(sides[0], sides[1], plan: plan) } } else {
                try loss(sides[0], sides[1], plan: plan)
            }
        #expect(value.dtype == .float32)
        value.backward()
        return [value.scalars()] + sides.map { $0.gradient?.scalars() ?? [] }
    }

    @Test(arguments: losses, halves) func autocastDoesNotReachALoss(_ name: String, _ dtype: DType) throws {
        for plan in [ScorePlan.dense, .tiled(rows: 5)] {
            let plain = try run(try loss(name), [vectors(1, .float32), vectors(2, .float32)], plan, in: nil)
            let scoped = try run(try loss(name), [vectors(1, .float32), vectors(2, .float32)], plan, in: dtype)
            #expect(scoped == plain)
            #expect(plain.allSatisfy { !$0.isEmpty && $0.contains { $0 != 0 } })
        }
    }

    @Test(arguments: losses, halves) func halfEmbeddingsAreComparedInFloat32(_ name: String, _ dtype: DType) throws {
        for plan in [ScorePlan.dense, .tiled(rows: 5)] {
            let half = [vectors(1, dtype), vectors(2, dtype)]
            let wide = half.map { $0.detached().to(.float32) }
            for side in wide { side.requiresGradient = true }
            let expected = try run(try loss(name), wide, plan, in: nil)
            let found = try run(try loss(name), half, plan, in: dtype)
            #expect(found[0] == expected[0])
            // Rounded once, on the way into the tower.
            for (gradient, wide) in zip(found.dropFirst(), wide) {
                #expect(gradient == wide.gradient?.to(dtype).scalars(as: Float.self))
            }
        }
    }

    @Test(arguments: halves) func captionsAreScoredInFloat32(_ dtype: DType) throws {
        let states = Tensor.normal([2, 5, 8], generator: Generator(seed: 3)).to(dtype)
        let head = Tensor.normal([20, 8], generator: Generator(seed: 4))
        head.requiresGradient = true
        let labels = Tensor((0..<10).map { Int64(1 + $0 % 7) }, shape: [2, 5])
        let expected = try CaptionLoss()(states: states.to(.float32), head: head, labels: labels)
        let scoped = try autocast(dtype) { try CaptionLoss()(states: states, head: head, labels: labels) }
        #expect(scoped.dtype == .float32 && scoped.item() == expected.item())
        let gradients = [expected, scoped].map { loss in
            head.clearGradient()
            loss.backward()
            return head.gradient?.scalars(as: Float.self)
        }
        #expect(gradients[0] == gradients[1] && gradients[0] != nil)
    }
}
