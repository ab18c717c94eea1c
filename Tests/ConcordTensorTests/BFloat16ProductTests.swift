import ConcordCore
import ConcordTensor
import ConcordTestSupport
import Testing

/// Matrix products under autocast give the same wherever they run: operands rounded to bfloat16, summed in float32.
@Suite struct BFloat16ProductTests {
    @Test func linearRoundsItsOperandsAndItsResult() {
        let generator = Generator(seed: 5)
        let x = Tensor.normal([4, 32], generator: generator), weight = Tensor.normal([8, 32], generator: generator)
        let bias = Tensor.normal([8], generator: generator)
        let rounded: (Tensor) -> Tensor = { $0.to(.bfloat16).to(.float64) }
        let expected = rounded(x).matmul(rounded(weight).transposed(0, 1)) + rounded(bias)
        let result = autocast(.bfloat16) { Tensor.linear(x, weight: weight, bias: bias) }
        #expect(result.dtype == .bfloat16)
        // One rounding of the result: half a unit in the last of eight bits.
        expectClose(
            result.scalars(as: Double.self), expected.scalars(as: Double.self), absolute: 1e-6, relative: 0x1p-8)
        #expect(Tensor.linear(x, weight: weight, bias: bias).dtype == .float32)
    }

    @Test func gradientsReachFloat32Parameters() {
        let x = Tensor.ones([2, 4]), weight = Tensor.full([3, 4], 0.5)
        weight.requiresGradient = true
        let loss = autocast(.bfloat16) { Tensor.linear(x, weight: weight).sum() }
        loss.backward()
        #expect(weight.gradient?.dtype == .float32)
        #expect(weight.gradient?.scalars(as: Float.self) == [Float](repeating: 2, count: 12))
    }

    @Test func doublesAndIntegersAreLeftAlone() {
        let values = Tensor([1.0000001, 2] as [Double], shape: [1, 2])
        let product = autocast(.bfloat16) { values.matmul(values.transposed(0, 1)) }
        #expect(product.dtype == .float64)
        #expect(abs(product.item() - (1.0000001 * 1.0000001 + 4)) < 1e-12)
    }
}
