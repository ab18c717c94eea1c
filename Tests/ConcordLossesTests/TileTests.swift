import ConcordCore
import ConcordLosses
import ConcordTensor
import Testing

/// The tiled symmetric loss on batches so large that its blocks are worked on in strips.
@Suite struct TileTests {
    @Test(arguments: [600, 1100], [0, 0.1]) func stripsEqualTheWholeMatrix(_ rows: Int, _ smoothing: Double) throws {
        // On 1,100 columns a strip has 238 rows, so the last ones of a block are shorter.
        let count = 1100, width = 8, generator = Generator(seed: 1)
        let first = Tensor.normal([count, width], generator: generator, dtype: .float64).normalized()
        let second = (first + Tensor.normal([count, width], generator: generator, dtype: .float64)).normalized()
        func result(_ plan: ScorePlan) throws -> (loss: Double, gradients: [Tensor]) {
            let inputs = [first.cloned(), second.cloned(), Tensor(3, dtype: .float64)]
            for input in inputs { input.requiresGradient = true }
            var objective = InfoNCE(logitScale: inputs[2])
            objective.labelSmoothing = smoothing
            let loss = try objective(inputs[0], inputs[1], plan: plan)
            loss.backward()
            return (loss.item(), inputs.compactMap(\.gradient))
        }
        let dense = try result(.dense), tiled = try result(.tiled(rows: rows))
        #expect(abs(dense.loss - tiled.loss) <= 1e-12 * dense.loss)
        #expect(tiled.gradients.count == 3)
        for (expected, found) in zip(dense.gradients, tiled.gradients) {
            let largest = expected.abs().max().item()
            #expect((expected - found).abs().max().item() <= 1e-10 * largest)
        }
    }
}
