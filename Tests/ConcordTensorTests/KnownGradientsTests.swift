import ConcordCore
import ConcordTensor
import Testing

/// Results whose gradients are computed with them, as those of the tiled losses are.
@Suite struct KnownGradientsTests {
    private func leaf(_ values: [Double], dtype: DType = .float64) -> Tensor {
        let tensor = Tensor(values).to(dtype)
        tensor.requiresGradient = true
        return tensor
    }

    private func result(_ gradients: [(input: Tensor, gradient: Tensor)]) -> Tensor {
        Tensor(7, dtype: .float64).withGradients(gradients)
    }

    @Test func gradientsFollowWhatTheResultIsUsedFor() {
        let x = leaf([1, 2, 3]), y = leaf([4])
        let value = result([(x * 2, Tensor([10.0, 20, 30])), (y, Tensor([5.0]))])
        #expect(value.item() == 7 && value.requiresGradient && value.shape == [])
        (value * 3).backward()
        #expect(x.gradient?.scalars(as: Double.self) == [60, 120, 180])
        #expect(y.gradient?.scalars(as: Double.self) == [15])
    }

    @Test func retainedGraphGivesTheSameAgain() {
        let x = leaf([1, 2])
        let value = result([(x, Tensor([10.0, 20]))])
        (value * 3).backward(retainingGraph: true)
        #expect(x.gradient?.scalars(as: Double.self) == [30, 60])
        x.clearGradient()
        value.backward(retainingGraph: true)
        #expect(x.gradient?.scalars(as: Double.self) == [10, 20])
        value.backward()
        #expect(x.gradient?.scalars(as: Double.self) == [20, 40])
    }

    @Test func secondBackwardPassWithoutTheGraphFails() throws {
        let x = leaf([1, 2])
        let value = result([(x, Tensor([10.0, 20]))])
        value.backward()
        let error = #expect(throws: ConcordError.self) { try withTensorErrors { value.backward() } }
        #expect(error?.message.contains("did not retain") == true)
        #expect(x.gradient?.scalars(as: Double.self) == [10, 20])
    }

    @Test func memoryIsHandedOver() {
        let x = leaf([1, 2, 3])
        func make() -> (value: Tensor, address: UnsafeRawPointer?) {
            let gradient = Tensor([10.0, 20, 30])
            return (result([(x, gradient)]), gradient.withUnsafeBytes(\.baseAddress))
        }
        let (value, address) = make()
        (value * 2).backward()
        #expect(x.gradient?.withUnsafeBytes(\.baseAddress) == address)
        #expect(x.gradient?.scalars(as: Double.self) == [20, 40, 60])
    }

    @Test func partOfLargerMemoryIsCopied() {
        let x = leaf([1, 2])
        let all = Tensor([0.0, 10, 20, 0])
        result([(x, all.narrowed(axis: 0, from: 1, count: 2))]).backward()
        x.gradient?.fill(1)
        #expect(all.scalars(as: Double.self) == [0, 10, 20, 0])
    }

    @Test func inputsOfOtherTypesGetGradientsOfTheirs() {
        let x = leaf([1, 2], dtype: .bfloat16), y = leaf([3], dtype: .float32)
        result([(x, Tensor([0.5, 0.25]).to(.float32)), (y, Tensor([2.0]).to(.float32))]).backward()
        #expect(x.gradient?.dtype == .bfloat16 && x.gradient?.scalars(as: Double.self) == [0.5, 0.25])
        #expect(y.gradient?.dtype == .float32 && y.gradient?.scalars(as: Double.self) == [2])
    }

    @Test func inputsWithoutGradientAreLeftOut() {
        let x = Tensor([1.0, 2]), y = leaf([3])
        #expect(!result([(x, Tensor([1.0, 1]))]).requiresGradient)
        #expect(!withoutGradient { result([(y, Tensor([1.0]))]) }.requiresGradient)
        result([(x, Tensor([1.0, 1])), (y, Tensor([4.0]))]).backward()
        #expect(x.gradient == nil && y.gradient?.scalars(as: Double.self) == [4])
    }

    @Test func oneInputTwiceGetsTheSum() {
        let x = leaf([1, 2])
        result([(x, Tensor([10.0, 20])), (x, Tensor([1.0, 2]))]).backward()
        #expect(x.gradient?.scalars(as: Double.self) == [11, 22])
    }

    @Test func gradientOfAnotherShapeFails() {
        let x = leaf([1, 2])
        #expect(throws: ConcordError.self) { try withTensorErrors { _ = result([(x, Tensor([1.0]))]) } }
    }
}
