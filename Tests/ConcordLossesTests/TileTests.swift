import ConcordCore
import ConcordLosses
import ConcordTensor
import Testing

/// The symmetric loss by its formula, on batches of several blocks of rows.
@Suite struct TileTests {
    @Test(arguments: [70, 600], [0, 0.1]) func blocksEqualTheWholeMatrix(_ rows: Int, _ smoothing: Double) throws {
        let count = 1100, width = 8, generator = Generator(seed: 1)
        let first = Tensor.normal([count, width], generator: generator, dtype: .float64).normalized()
        let second = (first + Tensor.normal([count, width], generator: generator, dtype: .float64)).normalized()
        func result(_ plan: ScorePlan?) throws -> (loss: Double, gradients: [Tensor]) {
            let inputs = [first.cloned(), second.cloned(), Tensor(3, dtype: .float64)]
            for input in inputs { input.requiresGradient = true }
            var objective = InfoNCE(logitScale: inputs[2])
            objective.labelSmoothing = smoothing
            // Each direction by itself is computed by automatic differentiation.
            if case nil = plan { objective.isSymmetric = false }
            let loss =
                if let plan { try objective(inputs[0], inputs[1], plan: plan) } else {
                    try (objective(inputs[0], inputs[1]) + objective(inputs[1], inputs[0])) / 2
                }
            loss.backward()
            return (loss.item(), inputs.compactMap(\.gradient))
        }
        let whole = try result(nil)
        for plan in [ScorePlan.dense, .tiled(rows: rows)] {
            let found = try result(plan)
            #expect(abs(whole.loss - found.loss) <= 1e-12 * whole.loss)
            #expect(found.gradients.count == 3)
            for (expected, found) in zip(whole.gradients, found.gradients) {
                let largest = expected.abs().max().item()
                #expect((expected - found).abs().max().item() <= 1e-10 * largest)
            }
        }
    }
}
