import ConcordCore
import ConcordTensor
import ConcordTestSupport
import Testing

/// Matrix products under autocast give the same wherever they run: operands rounded to the half type, summed in float32.
@Suite struct HalfProductTests {
    enum Half: CaseIterable {
        case bfloat16, float16

        var dtype: DType { self == .bfloat16 ? .bfloat16 : .float16 }
        /// Half a unit in the last of the 8 or 11 bits that a value keeps, and what another order of the sum adds.
        var rounding: Double { self == .bfloat16 ? 0x1p-8 : 0x1p-10 }
    }

    /// Runs `body` with the CPU's own instructions, if it has them, or as a CPU without.
    private func products<Result>(_ half: Half, emulated: Bool, _ body: () -> Result) -> Result {
        emulated ? withEmulatedProducts { autocast(half.dtype, body) } : autocast(half.dtype, body)
    }

    @Test(arguments: Half.allCases, [false, true])
    func linearRoundsItsOperandsAndItsResult(_ half: Half, emulated: Bool) {
        let generator = Generator(seed: 5)
        let x = Tensor.normal([4, 32], generator: generator), weight = Tensor.normal([8, 32], generator: generator)
        let bias = Tensor.normal([8], generator: generator)
        let rounded: (Tensor) -> Tensor = { $0.to(half.dtype).to(.float64) }
        let expected = rounded(x).matmul(rounded(weight).transposed(0, 1)) + rounded(bias)
        let result = products(half, emulated: emulated) { Tensor.linear(x, weight: weight, bias: bias) }
        #expect(result.dtype == half.dtype)
        expectClose(
            result.scalars(as: Float.self), expected.scalars(as: Double.self), absolute: half.rounding,
            relative: half.rounding)
        #expect(Tensor.linear(x, weight: weight, bias: bias).dtype == .float32)
    }

    /// A convolution and attention, forward and back.
    @Test(arguments: Half.allCases) func bothWaysAgree(_ half: Half) {
        func run(_ emulated: Bool) -> [[Double]] {
            let generator = Generator(seed: 6)
            let pixels = Tensor.normal([2, 3, 8, 8], generator: generator)
            let kernel = Tensor.normal([16, 3, 4, 4], generator: generator)
            kernel.requiresGradient = true
            let output = products(half, emulated: emulated) {
                let tokens = pixels.convolution2D(weight: kernel, bias: nil, stride: [4, 4]).flattened(from: 2)
                    .transposed(1, 2)
                let heads = tokens.reshaped([2, 4, 2, 8]).transposed(1, 2) / 8
                return Tensor.scaledDotProductAttention(query: heads, key: heads, value: heads)
            }
            #expect(output.dtype == half.dtype)
            output.to(.float32).square().mean().backward()
            let gradient = kernel.gradient
            #expect(gradient?.dtype == .float32)
            return [output.scalars(as: Float.self), gradient?.scalars(as: Float.self) ?? []].map { $0.map(Double.init) }
        }
        for (own, emulated) in zip(run(false), run(true)) {
            #expect(!own.isEmpty)
            let largest = emulated.map(abs).max() ?? 0
            expectClose(own, emulated, absolute: 4 * half.rounding * largest)
        }
    }

    /// What does not fit into float16 is infinite in the result, not in a product on the way.
    @Test(arguments: [false, true]) func float16OverflowsInTheResult(emulated: Bool) {
        let x = Tensor([300, 300] as [Float], shape: [1, 2]), weight = Tensor([300, -300] as [Float], shape: [1, 2])
        let large = Tensor([300, 300] as [Float], shape: [1, 2])
        let results = products(.float16, emulated: emulated) {
            [Tensor.linear(x, weight: weight), .linear(x, weight: large)].map { $0.scalars(as: Float.self) }
        }
        #expect(results == [[0], [.infinity]])
    }

    @Test(arguments: Half.allCases, [false, true])
    func gradientsReachFloat32Parameters(_ half: Half, emulated: Bool) {
        let x = Tensor.ones([2, 4]), weight = Tensor.full([3, 4], 0.5)
        weight.requiresGradient = true
        let loss = products(half, emulated: emulated) { Tensor.linear(x, weight: weight).sum() }
        loss.backward()
        #expect(weight.gradient?.dtype == .float32)
        #expect(weight.gradient?.scalars(as: Float.self) == [Float](repeating: 2, count: 12))
    }

    @Test(arguments: Half.allCases, [false, true])
    func doublesAndIntegersAreLeftAlone(_ half: Half, emulated: Bool) {
        let values = Tensor([1.0000001, 2] as [Double], shape: [1, 2])
        let product = products(half, emulated: emulated) { values.matmul(values.transposed(0, 1)) }
        #expect(product.dtype == .float64)
        #expect(abs(product.item() - (1.0000001 * 1.0000001 + 4)) < 1e-12)
    }

    @Test func precisionsOpenTheirScopes() {
        let x = Tensor.ones([2, 2])
        let types = Precision.allCases.map { precision in precision.autocast(on: .cpu) { x.matmul(x).dtype } }
        #expect(types == [.float32, .bfloat16, .float16, .float32])
        #expect(autocast(.bfloat16) { Precision.float32.autocast(on: .cpu) { x.matmul(x).dtype } } == .float32)
        #expect(Precision.auto.dtype(on: .cuda(0)) == .bfloat16 && Precision.auto.dtype(on: .mps) == .bfloat16)
        for precision in Precision.allCases {
            let isFast = TorchRuntime.hasFastProducts(of: precision.dtype(on: .cpu))
            #expect((precision.note(on: .cpu) == nil) == isFast && precision.note(on: .cuda(0)) == nil)
        }
    }
}
