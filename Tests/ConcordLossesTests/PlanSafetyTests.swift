import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// Loss and gradients stay finite, and equal to the float64 reference within the type, where numbers are extreme.
@Suite struct PlanSafetyTests {
    enum Input: String, CaseIterable {
        case random, identicalRows, oppositeSides, equalSides, singleRow, zeroVectors, mixedZeroVectors

        /// Two sides `[count, 8]`, float64.
        var sides: (first: Tensor, second: Tensor) {
            let generator = Generator(seed: 3)
            func unit(_ count: Int) -> Tensor { .normal([count, 8], generator: generator).to(.float64).normalized() }
            let one = unit(1), some = unit(6)
            return switch self {
            case .random: (some, unit(6))
            case .identicalRows: (one.repeated([6, 1]), one.repeated([6, 1]))
            case .oppositeSides: (some, some.neg())
            case .equalSides: (some, some)
            case .singleRow: (one, unit(1))
            case .zeroVectors: (Tensor.zeros([6, 8], dtype: .float64), Tensor.zeros([6, 8], dtype: .float64))
            case .mixedZeroVectors: (Tensor.concatenated([some, .zeros([2, 8], dtype: .float64)]), unit(8))
            }
        }
    }

    enum Kind: String, CaseIterable { case infoNCE, smoothed, multiPositive, decoupled, sigmoid }

    /// Loss and gradients of both sides, scale and bias.
    private func run(
        _ kind: Kind, _ input: Input, _ dtype: DType, _ plan: ScorePlan
    ) throws -> (loss: Double, gradients: [[Double]]) {
        let sides = input.sides
        func leaf(_ tensor: Tensor) -> Tensor {
            let tensor = tensor.detached()
            tensor.requiresGradient = true
            return tensor
        }
        // Rounded to the type first: the reference then computes on the same numbers.
        let kept = dtype == .float64 ? DType.float64 : .float32
        let first = leaf(sides.first.to(.bfloat16).to(dtype)), second = leaf(sides.second.to(.bfloat16).to(dtype))
        let scale = leaf(Tensor(log(100), dtype: kept)), bias = leaf(Tensor(-10, dtype: kept))
        let labels = Tensor((0..<first.size(0)).map { $0 / 2 })
        var infoNCE = InfoNCE(logitScale: scale)
        let loss: Tensor
        switch kind {
        case .infoNCE: loss = try infoNCE(first, second, plan: plan)
        case .smoothed:
            infoNCE.labelSmoothing = 0.1
            loss = try infoNCE(first, second, plan: plan)
        case .multiPositive: loss = try infoNCE(first, second, labels: labels, plan: plan)
        case .decoupled:
            infoNCE.isDecoupled = true
            loss = try infoNCE(first, second, plan: plan)
        case .sigmoid: loss = try SigmoidLoss(logitScale: scale, logitBias: bias)(first, second, plan: plan)
        }
        loss.backward()
        let gradients = [first, second, scale, bias].map { $0.gradient?.scalars(as: Double.self) ?? [] }
        return (loss.item(), gradients)
    }

    @Test(arguments: Kind.allCases, Input.allCases) func equalsTheReference(_ kind: Kind, _ input: Input) throws {
        // A single row has nothing to be decoupled from; that is an error, see PlanErrorTests.
        if kind == .decoupled, input == .singleRow { return }
        let reference = try run(kind, input, .float64, .dense)
        #expect(reference.loss.isFinite)
        let rows = Double(input.sides.first.size(0))
        for dtype in [DType.float64, .float32, .bfloat16, .float16] {
            for (name, plan) in [("dense", ScorePlan.dense), ("tiled", .tiled(rows: 4))] {
                let what = "\(kind) \(input) \(dtype) \(name)"
                let result = try run(kind, input, dtype, plan)
                // Logits reach 100, and float32 keeps about 1e-5 of that.
                let accuracy = dtype == .float64 ? 1e-12 : 2e-5
                expectClose(
                    [result.loss], [reference.loss], absolute: accuracy, relative: accuracy, what + " loss")
                let roundings: [DType: Double] = [
                    .float64: 1e-10, .float32: 1e-5, .bfloat16: 0x1p-8, .float16: 0x1p-10,
                ]
                let rounding = roundings[dtype] ?? 0
                for (index, gradient) in result.gradients.enumerated() {
                    let expected = reference.gradients[index]
                    // Relative to the largest, or to the terms that cancel: scale / rows of a vector, the scale itself.
                    let largest = expected.map(abs).max() ?? 0, terms = index < 2 ? 100 / rows : 100
                    let isEmbedding = index < 2
                    expectClose(
                        gradient, expected,
                        absolute: (isEmbedding ? rounding : min(rounding, 1e-5)) * max(largest, terms),
                        what + " gradient \(index)")
                }
            }
        }
    }

    /// Zero vectors have no direction; the functions that normalise stay finite there.
    @Test(arguments: [DType.float64, .float32, .float16, .bfloat16]) func zeroVectorsAreNormalised(_ dtype: DType)
        throws
    {
        let anchor = Tensor.zeros([3, 4], dtype: dtype), positive = Tensor.ones([3, 4], dtype: dtype)
        anchor.requiresGradient = true
        for negatives in [nil, Tensor.ones([2, 4], dtype: dtype), Tensor.ones([3, 2, 4], dtype: dtype)] {
            let loss = try infoNCELoss(anchor: anchor, positive: positive, negatives: negatives)
            loss.backward()
            #expect(loss.item().isFinite)
        }
        #expect(try #require(anchor.gradient).isFinite().all().item() == 1)
        #expect(try ntXentLoss(anchor, positive).item().isFinite)
        #expect(try supConLoss(anchor, labels: Tensor([0, 0, 1])).item().isFinite)
    }

    /// SupCon of a batch of one class is what its equation says; pytorch_metric_learning returns 0.
    @Test func supConOfOneClass() throws {
        let labels = Tensor([3, 3, 3, 3])
        let same = try supConLoss(Tensor.ones([4, 5], dtype: .float64), labels: labels)
        #expect(abs(same.item() - log(3)) < 1e-12)
        // Two pairs at a right angle: each tells the one at cosine 1 and the two at 0 from all three.
        let crossed = randomLeaf([4, 2], dtype: .float64)
        withoutGradient { crossed.copy(from: Tensor([1.0, 0, 1, 0, 0, 1, 0, 1], shape: [4, 2])) }
        for plan in [ScorePlan.dense, .tiled(rows: 3)] {
            let loss = try supConLoss(crossed, labels: labels, temperature: 0.5, plan: plan)
            #expect(abs(loss.item() - (log(exp(2) + 2) - 2.0 / 3)) < 1e-12)
            loss.backward()
            #expect(try #require(crossed.gradient).abs().max().item() > 0.01)
            crossed.clearGradient()
        }
    }
}
