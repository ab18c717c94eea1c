import ConcordCore
import ConcordTensor
import Testing

@Suite struct PackedWeightsTests {
    private let generator = Generator(seed: 7)

    /// How many copies there are of one weight.
    private let copies = TorchRuntime.buildDescription.contains("USE_MKLDNN=ON") ? 1 : 0

    private func normal(_ shape: [Int]) -> Tensor { .normal(shape, generator: generator) }

    /// The largest difference from the product in float64, as a part of its largest number.
    private func error(_ result: Tensor, _ input: Tensor, _ weight: Tensor, _ bias: Tensor?) -> Double {
        let exact = Tensor.linear(input.to(.float64), weight: weight.to(.float64), bias: bias?.to(.float64))
        #expect(result.shape == exact.shape)
        return (result.to(.float64) - exact).abs().max().item() / exact.abs().max().item()
    }

    @Test(arguments: [[4, 1024], [8, 1, 1024], [3, 7, 1024], [64, 1024]])
    func productsAreEqualButForRounding(shape: [Int]) {
        let weight = normal([1025, 1024]), bias = normal([1025]), input = normal(shape)
        let packed = PackedWeights()
        withoutGradient {
            for bias in [bias, nil] {
                let result = packed { Tensor.linear(input, weight: weight, bias: bias) }
                #expect(error(result, input, weight, bias) < 2e-6)
            }
            let transposed = normal([1024, 8]).transposed(0, 1)  // not contiguous
            let result = packed { Tensor.linear(transposed, weight: weight, bias: bias) }
            #expect(error(result, transposed, weight, bias) < 2e-6)
        }
        #expect(packed.count == copies)
    }

    @Test func changesOfTheWeightAreSeen() {
        let weight = normal([1024, 1024]), input = normal([8, 1024])
        let changes: [(Tensor) -> Void] = [
            { $0.formMultiply(2) },
            { $0.narrowed(axis: 0, from: 5, count: 1).copy(from: normal([1, 1024])) },
            { Tensor.foreachLerp([$0], to: [normal([1024, 1024])], weight: 0.5) },
            {
                Tensor.fusedAdamW(
                    parameters: [$0], gradients: [normal([1024, 1024])], firstMoments: [.zeros([1024, 1024])],
                    secondMoments: [.zeros([1024, 1024])], steps: [.zeros([])], learningRate: 0.1, beta1: 0.9,
                    beta2: 0.98, weightDecay: 0, epsilon: 1e-6)
            },
        ]
        let packed = PackedWeights()
        withoutGradient {
            for change in changes {
                let before = packed { Tensor.linear(input, weight: weight) }
                change(weight)
                let after = packed { Tensor.linear(input, weight: weight) }
                #expect(error(after, input, weight, nil) < 2e-6)
                #expect(error(before, input, weight, nil) > 1e-3)
            }
        }
        #expect(packed.count == copies)
    }

    @Test func everythingElseIsComputedAsOutside() {
        let packed = PackedWeights()
        let weight = normal([1024, 1024]), input = normal([8, 1024])
        weight.requiresGradient = true
        packed { Tensor.linear(input, weight: weight).sum().backward() }
        #expect(weight.gradient?.shape == [1024, 1024])
        withoutGradient {
            // Other types, too few and too many rows, and small weights.
            for (input, weight) in [
                (input.to(.float64), weight.to(.float64)), (normal([3, 1024]), weight), (normal([65, 1024]), weight),
                (normal([0, 1024]), weight), (normal([1024]), weight), (input, normal([1023, 1024])),
            ] {
                let outside = Tensor.linear(input, weight: weight)
                let inside = packed { Tensor.linear(input, weight: weight) }
                #expect(inside.scalars(as: Double.self) == outside.scalars(as: Double.self))
            }
            let outside = autocast(.bfloat16) { Tensor.linear(input, weight: weight) }
            let inside = packed { autocast(.bfloat16) { Tensor.linear(input, weight: weight) } }
            #expect(inside.dtype == .bfloat16)
            #expect(inside.to(.float32).scalars(as: Float.self) == outside.to(.float32).scalars(as: Float.self))
        }
        #expect(packed.count == 0)
    }

    @Test func scopesEndAndCopiesGo() {
        let weight = normal([1024, 1024]), input = normal([8, 1024])
        let packed = PackedWeights(), other = PackedWeights()
        withoutGradient {
            packed { other { _ = Tensor.linear(input, weight: weight) } }
            #expect(packed.count == 0)
            #expect(other.count == copies)
            _ = Tensor.linear(input, weight: weight)
            other.removeAll()
            _ = Tensor.linear(input, weight: weight)
            #expect(other.count == 0)
            packed { _ = Tensor.linear(input, weight: weight) }
            #expect(packed.count == copies)
        }
    }
}
