import ConcordCore
import ConcordTensor
import Testing

@Suite struct RandomTests {
    @Test func sameSeedSameValues() {
        func draw(_ seed: UInt64) -> [[Double]] {
            let generator = Generator(seed: seed)
            return [
                Tensor.normal([40], mean: 1, standardDeviation: 2, generator: generator),
                Tensor.uniform([5], from: -1, to: 3, generator: generator),
                Tensor.randomPermutation(9, generator: generator),
                Tensor.ones([20]).dropout(probability: 0.5, generator: generator),
            ].map { $0.scalars(as: Double.self) }
        }
        #expect(draw(7) == draw(7))
        #expect(draw(7) != draw(8))
    }

    @Test func stateContinuesTheSequence() {
        let generator = Generator(seed: 1)
        _ = Tensor.uniform([3], generator: generator)
        let state = generator.state
        let first = Tensor.uniform([50], generator: generator).scalars(as: Float.self)
        generator.state = state
        #expect(Tensor.uniform([50], generator: generator).scalars(as: Float.self) == first)
        generator.seed(1)
        _ = Tensor.uniform([3], generator: generator)
        #expect(Tensor.uniform([50], generator: generator).scalars(as: Float.self) == first)
    }

    @Test func distributionsAreWhatTheySay() {
        let generator = Generator(seed: 2)
        let normal = Tensor.normal([20000], mean: 3, standardDeviation: 2, generator: generator, dtype: .float64)
        #expect(abs(normal.mean().item() - 3) < 0.1)
        #expect(abs(normal.standardDeviation(axes: [0]).item() - 2) < 0.1)
        let uniform = Tensor.uniform([20000], from: 2, to: 4, generator: generator)
        #expect(uniform.min().item() >= 2 && uniform.max().item() < 4)
        #expect(abs(uniform.mean().item() - 3) < 0.05)
        let permutation = Tensor.randomPermutation(100, generator: generator).scalars(as: Int.self)
        #expect(permutation.sorted() == Array(0..<100) && permutation != Array(0..<100))
    }

    @Test func dropoutKeepsTheMean() {
        let x = Tensor.ones([20000])
        x.requiresGradient = true
        let y = x.dropout(probability: 0.25, generator: Generator(seed: 4))
        let values = Set(y.scalars(as: Float.self))
        #expect(values == [0, Float(1 / 0.75)])
        #expect(abs(y.mean().item() - 1) < 0.02)
        y.sum().backward()
        #expect(x.gradient?.scalars(as: Float.self) == y.scalars(as: Float.self))
        #expect(x.dropout(probability: 0, generator: nil) === x)
        #expect(x.dropout(probability: 1, generator: nil).sum().item() == 0)
    }
}
