import ConcordCore
import ConcordTensor
import Testing

/// Products and attention of few rows, which have kernels of their own where no gradients are recorded.
@Suite struct FewRowsTests {
    private let generator = Generator(seed: 7)

    private func normal(_ shape: [Int]) -> Tensor { .normal(shape, generator: generator) }

    /// The largest difference from what float64 gives, as a part of `scale`; nil is its largest number.
    private func error(_ result: Tensor, _ exact: Tensor, scale: Tensor? = nil) -> Double {
        #expect(result.dtype == .float32)
        #expect(result.shape == exact.shape)
        return (result.to(.float64) - exact).abs().max().item() / (scale ?? exact).abs().max().item()
    }

    private func values(_ tensor: Tensor) -> [Double] { tensor.scalars(as: Double.self) }

    /// Depths around the widths of vectors, and outputs around those of tiles and of the parts that threads take.
    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17, 31, 48, 63, 64, 65])
    func productsAreEqualButForRounding(rows: Int) {
        for depth in [1, 3, 7, 8, 9, 15, 16, 17, 33, 100, 515] {
            for outputs in [1, 2, 3, 16, 47, 515] {
                let weight = normal([outputs, depth]), input = normal([rows, depth]), bias = normal([outputs])
                for bias in [bias, nil] {
                    let result = withoutGradient { Tensor.linear(input, weight: weight, bias: bias) }
                    let exact = Tensor.linear(
                        input.to(.float64), weight: weight.to(.float64), bias: bias?.to(.float64))
                    // What rounding goes by where terms cancel.
                    let scale = Tensor.linear(input.abs(), weight: weight.abs(), bias: bias?.abs())
                    #expect(error(result, exact, scale: scale) < 1e-6, "\(rows) rows, \(depth) → \(outputs)")
                }
            }
        }
    }

    @Test(arguments: [[100], [1, 100], [2, 3, 100], [2, 1, 2, 100], [0, 100]])
    func productsKeepTheShapeOfTheirInput(shape: [Int]) {
        let weight = normal([17, 100]), input = normal(shape)
        let result = withoutGradient { Tensor.linear(input, weight: weight) }
        #expect(result.shape == shape.dropLast() + [17])
        let single = input.reshaped([-1, 100]).to(.float64).matmul(weight.to(.float64).transposed(0, 1))
        if shape[0] > 0 { #expect(error(result.reshaped([-1, 17]), single) < 4e-6) }
    }

    @Test func productsReadViews() {
        let table = normal([40, 90]), input = normal([64, 5])
        withoutGradient {
            let pairs = [
                (input.transposed(0, 1), table.narrowed(axis: 1, from: 13, count: 64)),  // gaps between rows
                (input.transposed(0, 1), normal([64, 40]).transposed(0, 1)),  // columns side by side
                (normal([1, 64]).expanded(to: [5, 64]), table.sliced(axis: 1, from: 26)),
            ]
            for (input, weight) in pairs {
                let bias = normal([40, 2]).selected(axis: 1, at: 1)
                let exact = Tensor.linear(input.to(.float64), weight: weight.to(.float64), bias: bias.to(.float64))
                #expect(error(Tensor.linear(input, weight: weight, bias: bias), exact) < 4e-6)
            }
        }
    }

    /// So that what is generated for one item of a batch does not depend on the others.
    @Test func rowsDoNotDependOnTheirNeighbours() {
        let weight = normal([100, 77]), bias = normal([100]), input = normal([21, 77])
        withoutGradient {
            let together = Tensor.linear(input, weight: weight, bias: bias)
            for row in 0..<21 {
                let alone = Tensor.linear(input.narrowed(axis: 0, from: row, count: 1), weight: weight, bias: bias)
                #expect(values(alone) == values(together.selected(axis: 0, at: row)))
            }
        }
    }

    @Test func changesOfTheWeightAreSeen() {
        let weight = normal([64, 64]), input = normal([8, 64])
        withoutGradient {
            let before = Tensor.linear(input, weight: weight)
            weight.formMultiply(2)
            #expect(values(Tensor.linear(input, weight: weight)) == values(before).map { $0 * 2 })
        }
    }

    @Test func valuesThatAreNotFiniteStay() {
        let weight = normal([40, 64]), input = normal([3, 64])
        withoutGradient {
            input.narrowed(axis: 0, from: 1, count: 1).narrowed(axis: 1, from: 5, count: 1).fill(.nan)
            let rows = Tensor.linear(input, weight: weight)
            #expect(values(rows.selected(axis: 0, at: 1)).filter { !$0.isNaN } == [])
            #expect(values(rows.selected(axis: 0, at: 0)).filter { !$0.isFinite } == [])
        }
    }

    /// Gradients, float64 and bfloat16 are computed as ever.
    @Test func otherProductsAreTheLibrarys() {
        let weight = normal([128, 64]), input = normal([8, 64])
        weight.requiresGradient = true
        Tensor.linear(input, weight: weight).sum().backward()
        #expect(weight.gradient?.shape == [128, 64])
        withoutGradient {
            let exact = input.to(.float64).matmul(weight.to(.float64).transposed(0, 1))
            let double = Tensor.linear(input.to(.float64), weight: weight.to(.float64))
            #expect(double.dtype == .float64)
            #expect((double - exact).abs().max().item() < 1e-12)
            let half = Tensor.linear(input.to(.bfloat16), weight: weight.to(.bfloat16))
            #expect(half.dtype == .bfloat16)
            #expect(autocast(.bfloat16) { Tensor.linear(input, weight: weight) }.dtype == .bfloat16)
        }
    }

    @Test func productsOfOtherWidthsFail() {
        #expect(throws: ConcordError.self) {
            try withTensorErrors { withoutGradient { Tensor.linear(normal([4, 65]), weight: normal([8, 64])) } }
        }
        #expect(throws: ConcordError.self) {
            try withTensorErrors {
                withoutGradient { Tensor.linear(normal([4, 64]), weight: normal([8, 64]), bias: normal([7])) }
            }
        }
    }

    /// Queries, keys and values as heads side by side and as a cache keeps them, with room behind the keys.
    @Test(arguments: [1, 2, 3, 6, 8, 9])
    func attentionIsEqualButForRounding(queries: Int) {
        for keys in [1, 2, 5, 31, 255] {
            for width in [1, 3, 8, 12, 64, 65, 80, 128] {
                let query = normal([3, queries, 4, width]).transposed(1, 2)
                let key = normal([3, keys, 4, width]).transposed(1, 2)
                let value = normal([3, 4, keys + 3, width]).narrowed(axis: 2, from: 0, count: keys)
                for scale in [nil, 0.7, -0.3] {
                    let result = withoutGradient {
                        Tensor.scaledDotProductAttention(query: query, key: key, value: value, scale: scale)
                    }
                    let factor = scale ?? 1 / Double(width).squareRoot()
                    let scores = query.to(.float64).matmul(key.to(.float64).transposed(2, 3)) * factor
                    let exact = scores.softmax(axis: -1).matmul(value.to(.float64))
                    #expect(
                        error(result, exact, scale: value) < 4e-6, "\(queries) queries, \(keys) keys, width \(width)")
                }
            }
        }
    }

    @Test func attentionOfEveryBatchToOneQueryReadsIt() {
        let query = normal([1, 4, 2, 16]).expanded(to: [3, 4, 2, 16]), key = normal([3, 4, 9, 16])
        let result = withoutGradient { Tensor.scaledDotProductAttention(query: query, key: key, value: key) }
        let scores = query.to(.float64).matmul(key.to(.float64).transposed(2, 3)) / 4
        #expect(error(result, scores.softmax(axis: -1).matmul(key.to(.float64))) < 4e-6)
    }

    /// Masks, causal attention, gradients and float64 are computed as ever.
    @Test func otherAttentionIsTheLibrarys() {
        let query = normal([2, 4, 3, 16]), key = normal([2, 4, 3, 16]), value = normal([2, 4, 3, 16])
        let scores = query.to(.float64).matmul(key.to(.float64).transposed(2, 3)) / 4
        let isOpen = Tensor.arange(3).lessOrEqual(to: Tensor.arange(3).unsqueezed(1))
        let causal = scores.maskedFilled(isOpen.logicalNot(), -.infinity).softmax(axis: -1)
            .matmul(value.to(.float64))
        withoutGradient {
            for result in [
                Tensor.scaledDotProductAttention(query: query, key: key, value: value, isCausal: true),
                Tensor.scaledDotProductAttention(query: query, key: key, value: value, mask: isOpen),
            ] {
                #expect(error(result, causal) < 4e-6)
            }
            let double = Tensor.scaledDotProductAttention(
                query: query.to(.float64), key: key.to(.float64), value: value.to(.float64))
            #expect((double - scores.softmax(axis: -1).matmul(value.to(.float64))).abs().max().item() < 1e-12)
        }
        query.requiresGradient = true
        Tensor.scaledDotProductAttention(query: query, key: key, value: value).sum().backward()
        #expect(query.gradient?.shape == [2, 4, 3, 16])
    }
}
