import ConcordCore
import ConcordLosses
import ConcordTensor
import Foundation
import Testing

/// What float32 leaves of loss and gradients at a scale of 100, where logits are known to 4e-6.
@Suite struct Float32AccuracyTests {
    enum Input: String, CaseIterable {
        /// Nothing learnt; half learnt; nearly all learnt, so that the loss is 2e-6; and all vectors about one point.
        case random, inTraining, learnt, collapsed

        /// Unit vectors of both sides, `[1024, 64]`, rounded to float32.
        var sides: [Tensor] {
            let generator = Generator(seed: 7)
            func normal(_ rows: Int = 1024) -> Tensor { .normal([rows, 64], generator: generator, dtype: .float64) }
            let first = normal().normalized(), noise = normal() / 8
            let second: Tensor
            switch self {
            case .random: second = normal()
            case .inTraining: second = first + noise * 3
            case .learnt: second = first + noise
            case .collapsed:
                let point = normal(1).normalized()
                return [point + first * 0.1, point + noise * 0.1].map { $0.normalized().to(.float32) }
            }
            return [first, second.normalized()].map { $0.to(.float32) }
        }
    }

    /// Of the loss, relative to it; of the gradients of both sides, relative to the largest element; of those of scale and
    /// bias, relative to themselves.
    struct Errors {
        let loss, embeddings, scale: Double
        var bias = 1e-5
    }

    typealias Loss = (_ sides: [Tensor], _ scale: Tensor, _ bias: Tensor, _ plan: ScorePlan) throws -> Tensor

    private static func run(_ input: Input, _ dtype: DType, _ plan: ScorePlan, _ loss: Loss) throws -> [[Double]] {
        var inputs = input.sides.map { $0.to(dtype).detached() }
        // As float32 has it.
        inputs.append(Tensor(Double(Float(log(100.0))), dtype: dtype))
        inputs.append(Tensor(-10, dtype: dtype))
        for input in inputs { input.requiresGradient = true }
        let value = try loss(Array(inputs[..<2]), inputs[2], inputs[3], plan)
        value.backward()
        return [[value.item()]] + inputs.map { $0.gradient?.scalars(as: Double.self) ?? [0] }
    }

    /// Compares float32 under a plan with float64.
    private static func expect(
        _ limits: Errors, _ name: String, _ input: Input, _ plan: ScorePlan, _ loss: Loss
    ) throws {
        let expected = try run(input, .float64, .dense, loss), found = try run(input, .float32, plan, loss)
        let all = [limits.loss, limits.embeddings, limits.embeddings, limits.scale, limits.bias]
        for (index, limit) in all.enumerated() {
            let largest = expected[index].map(abs).max() ?? 0
            let worst = zip(found[index], expected[index]).map { abs($0 - $1) }.max() ?? 0
            let part = ["loss", "first", "second", "scale", "bias"][index]
            #expect(worst <= limit * largest, "\(name), \(input), \(plan): \(part) is off by \(worst / largest)")
        }
    }

    /// Digits that the logits still have: those of the loss and its gradients are no fewer.
    @Test(arguments: Input.allCases, [0, 0.1]) func tilesKeepTheDigits(_ input: Input, _ smoothing: Double) throws {
        let limits: Errors =
            switch input {
            case .random, .inTraining: Errors(loss: 1e-5, embeddings: 1e-5, scale: 1e-5)
            case .learnt: Errors(loss: 5e-5, embeddings: 5e-5, scale: 5e-5)
            // Of collapsed vectors the parts of the scale's gradient are a thousand times their sum.
            case .collapsed: Errors(loss: 1e-5, embeddings: 5e-5, scale: 2e-4)
            }
        for plan in [ScorePlan.dense, .tiled(), .tiled(rows: 100)] {
            try Self.expect(limits, "smoothing \(smoothing)", input, plan) { sides, scale, _, plan in
                var loss = InfoNCE(logitScale: scale)
                loss.labelSmoothing = smoothing
                return try loss(sides[0], sides[1], plan: plan)
            }
        }
    }

    /// By automatic differentiation, as libtorch's cross-entropy: probabilities near 1 are taken from 1.
    @Test(arguments: Input.allCases) func otherLossesKeepWhatCrossEntropyKeeps(_ input: Input) throws {
        let limits: Errors =
            switch input {
            case .random, .inTraining: Errors(loss: 1e-5, embeddings: 1e-5, scale: 1e-5)
            case .learnt: Errors(loss: 5e-3, embeddings: 5e-3, scale: 1e-3)
            case .collapsed: Errors(loss: 1e-5, embeddings: 1e-4, scale: 1e-3)
            }
        for plan in [ScorePlan.dense, .tiled()] {
            try Self.expect(limits, "one direction", input, plan) { sides, scale, _, plan in
                var loss = InfoNCE(logitScale: scale)
                loss.isSymmetric = false
                return try loss(sides[0], sides[1], plan: plan)
            }
            try Self.expect(limits, "labels", input, plan) { sides, scale, _, plan in
                let labels = Tensor((0..<1024).map { $0 / 2 })
                return try InfoNCE(logitScale: scale)(sides[0], sides[1], labels: labels, plan: plan)
            }
            let pairwise = Errors(loss: 1e-5, embeddings: 1e-5, scale: 1e-5)
            try Self.expect(pairwise, "sigmoid", input, plan) { sides, scale, bias, plan in
                try SigmoidLoss(logitScale: scale, logitBias: bias)(sides[0], sides[1], plan: plan)
            }
        }
    }
}
