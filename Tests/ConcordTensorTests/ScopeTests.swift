import ConcordCore
import ConcordTensor
import Testing

@Suite struct ScopeTests {
    private struct Stop: Error {}

    @Test func failingOperationTraps() async {
        await #expect(processExitsWith: .failure) {
            _ = Tensor.ones([2, 3]).matmul(Tensor.ones([2, 3]))
        }
    }

    @Test func trapNamesTheOperationAndTheCall() async throws {
        let result = try await #require(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            _ = Tensor.ones([2, 3]).matmul(Tensor.ones([2, 3]))
        }
        let text = String(decoding: result.standardErrorContent, as: UTF8.self)
        #expect(text.contains("mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"))
        #expect(text.contains("ScopeTests.swift"))
        #expect(!text.contains("frame #"), "no C++ backtrace")
    }

    @Test func countsMustAgree() async {
        await #expect(processExitsWith: .failure) { _ = Tensor([1.0, 2.0], shape: [3]) }
    }

    @Test func errorScopeThrowsTheFirstFailure() {
        var later = Tensor(0)
        let error = #expect(throws: ConcordError.self) {
            try withTensorErrors {
                let wrong = Tensor.ones([2, 3]).matmul(Tensor.ones([2, 3]))
                #expect(!wrong.isDefined)
                // None of these may crash.
                later = (wrong + 1).softmax(axis: 0).reshaped([7]).sum()
                wrong.formAdd(later)
                wrong.zero()
                #expect(wrong.shape == [])
                #expect(wrong.item().isNaN)
                #expect(wrong.scalars(as: Float.self) == [])
                #expect(wrong.chunked(2).isEmpty)
                _ = Tensor.concatenated([wrong, wrong]).to(.float64).to(.cpu)
                _ = Tensor.linear(wrong, weight: wrong, bias: wrong)
                _ = wrong.maximum(axis: 0).values
                _ = wrong.gradient
                _ = wrong.description
                wrong.requiresGradient = true
                wrong.backward()
                _ = Tensor.gradients(of: [wrong], withRespectTo: [wrong])
                _ = Tensor.ones([2]).index(of: 5)
            }
        }
        #expect(error?.code == .tensorOperation)
        #expect(error?.message.contains("aten::matmul at ConcordTensorTests/ScopeTests.swift:") == true)
        #expect(error?.message.contains("mat1 and mat2 shapes") == true)
        #expect(!later.isDefined)
    }

    @Test func errorScopesNest() throws {
        try withTensorErrors {
            #expect(throws: ConcordError.self) { try withTensorErrors { _ = Tensor.ones([2]) + Tensor.ones([3]) } }
            #expect((Tensor.ones([2]) + 1).isDefined)
        }
    }

    @Test func errorScopePassesResultsAndOtherErrors() throws {
        #expect(try withTensorErrors { Tensor.ones([3]).sum().item() } == 3)
        #expect(throws: Stop.self) { try withTensorErrors { throw Stop() } }
        // The failed operation is the cause of what came after it.
        #expect(throws: ConcordError.self) {
            try withTensorErrors {
                _ = Tensor.ones([2]) + Tensor.ones([3])
                throw Stop()
            }
        }
    }

    @Test func gradientModesNestAndEnd() {
        let x = Tensor.ones([2])
        x.requiresGradient = true
        #expect(isGradientEnabled)
        #expect((x * 2).requiresGradient)
        withoutGradient {
            #expect(!(x * 2).requiresGradient)
            withGradient { #expect((x * 2).requiresGradient) }
            #expect(!isGradientEnabled)
        }
        #expect(throws: Stop.self) { try withoutGradient { throw Stop() } }
        #expect(isGradientEnabled)
        #expect(throws: Stop.self) { try inferenceMode { throw Stop() } }
        inferenceMode { #expect(!(x * 2).requiresGradient) }
        #expect((x * 2).requiresGradient)
    }

    @Test(arguments: [DType.bfloat16, .float16]) func autocastComputesInTheLowerType(_ dtype: DType) {
        let x = Tensor.normal([4, 4], generator: Generator(seed: 1))
        x.requiresGradient = true
        let full = x.matmul(x)
        #expect(full.dtype == .float32)
        autocast(dtype) {
            let product = x.matmul(x)
            #expect(product.dtype == dtype)
            withoutAutocast { #expect(x.matmul(x).dtype == .float32) }
            #expect(x.matmul(x).dtype == dtype)
            #expect(Tensor.mseLoss(product, target: full).dtype == .float32)
        }
        #expect(throws: Stop.self) { try autocast(dtype) { throw Stop() } }
        #expect(x.matmul(x).dtype == .float32)
    }

    /// A cosine of bfloat16 vectors would be off in the third digit, and a logit of scale 100 by a fifth.
    @Test(arguments: [DType.bfloat16, .float16]) func unitVectorsHaveUnitLength(_ dtype: DType) {
        let units = Tensor.normal([16, 192], generator: Generator(seed: 1)).to(dtype).normalized()
        #expect(units.dtype == .float32)
        let lengths = units.norm(p: 2, axes: [1]).scalars(as: Double.self)
        #expect(lengths.allSatisfy { abs($0 - 1) < 1e-6 })
    }

    @Test func autocastForgetsItsCopiesOfWeights() {
        let weight = Tensor.ones([2, 2])
        weight.requiresGradient = true
        let x = Tensor.ones([2, 2])
        autocast(.bfloat16) { _ = x.matmul(weight) }
        withoutGradient { weight.fill(3) }
        #expect(autocast(.bfloat16) { x.matmul(weight) }.scalars(as: Float.self) == [6, 6, 6, 6])
    }
}

extension Tensor {
    /// A failing operation with an index.
    fileprivate func index(of position: Int) -> Tensor { selected(axis: 0, at: position) }
}
