import ConcordCore
import ConcordTensor
import Testing

@Suite struct AutogradTests {
    private func leaf(_ values: [Double], shape: [Int]? = nil) -> Tensor {
        let tensor = Tensor(values, shape: shape ?? [values.count])
        tensor.requiresGradient = true
        return tensor
    }

    @Test func backwardAccumulates() {
        let x = leaf([1, 2, 3])
        #expect(x.isLeaf && x.gradient == nil)
        let y = (x * x).sum()
        #expect(!y.isLeaf && y.requiresGradient)
        y.backward(retainingGraph: true)
        #expect(x.gradient?.scalars(as: Double.self) == [2, 4, 6])
        y.backward()
        #expect(x.gradient?.scalars(as: Double.self) == [4, 8, 12])
        x.clearGradient()
        #expect(x.gradient == nil)
        x.gradient = Tensor.ones([3], dtype: .float64)
        (x * 2).backward(gradient: Tensor([1.0, 0, 2], shape: [3]))
        #expect(x.gradient?.scalars(as: Double.self) == [3, 1, 5])
        #expect(!x.detached().requiresGradient)
    }

    @Test func gradientsLeaveLeavesAlone() {
        let (x, y) = (leaf([2]), leaf([5]))
        let gradients = Tensor.gradients(of: [(x * x * x).sum()], withRespectTo: [x, y], creatingGraph: true)
        #expect(gradients[0]?.item() == 12)
        #expect(gradients[1] == nil)
        #expect(x.gradient == nil)
        let second = Tensor.gradients(of: [gradients[0]!], withRespectTo: [x])
        #expect(second[0]?.item() == 12)
    }

    @Test func gradientOfAnotherShapeIsRefused() {
        let x = leaf([1, 2])
        #expect(throws: ConcordError.self) { try withTensorErrors { x.gradient = Tensor.ones([3], dtype: .float64) } }
    }

    /// A block with captured parameters, a softmax that saves its output, and dropout.
    private func block(_ x: Tensor, _ weight: Tensor, _ generator: Generator?) -> Tensor {
        let hidden = x.matmul(weight).gelu().softmax(axis: -1) * x.tanh()
        return hidden.dropout(probability: 0.4, generator: generator) + x
    }

    @Test(arguments: [DType.float64, .float32]) func checkpointingChangesNothing(_ dtype: DType) {
        func run(checkpointing: Bool) -> [[Double]] {
            let random = Generator(seed: 3)
            let weights = (0..<3).map { _ in Tensor.normal([4, 4], generator: random, dtype: dtype) }
            let x = Tensor.normal([2, 4], generator: random, dtype: dtype)
            for tensor in weights + [x] { tensor.requiresGradient = true }
            let generator = Generator(seed: 9)
            var y = x
            for weight in weights {
                if checkpointing {
                    y = checkpointed([y], generators: [generator]) { self.block($0[0], weight, generator) }
                } else {
                    y = block(y, weight, generator)
                }
            }
            // The generator must not be disturbed by the recomputation.
            let loss = y.square().sum()
            loss.backward()
            let next = Tensor.uniform([3], generator: generator, dtype: .float64)
            return ([loss, next] + (weights + [x]).map { $0.gradient! }).map { $0.scalars(as: Double.self) }
        }
        #expect(run(checkpointing: true) == run(checkpointing: false))
    }

    @Test func checkpointingReachesCapturedParametersOnly() {
        let weight = leaf([1, 2, 3, 4], shape: [2, 2])
        let x = Tensor([1.0, -1], shape: [1, 2])
        checkpointed([x]) { $0[0].matmul(weight).exp() }.sum().backward()
        let gradient = weight.gradient!.scalars(as: Double.self)
        weight.clearGradient()
        x.matmul(weight).exp().sum().backward()
        #expect(gradient == weight.gradient!.scalars(as: Double.self))
    }

    @Test func checkpointingRecomputesOnceAndOnDemand() {
        final class Counter { var runs = 0 }
        let counter = Counter()
        let x = leaf([0.5, 1])
        func part() -> Tensor {
            checkpointed([x]) { inputs in
                counter.runs += 1
                return inputs[0].exp().sin().exp()
            }
        }
        let y = part()
        #expect(counter.runs == 1)
        y.sum().backward(retainingGraph: true)
        #expect(counter.runs == 2)
        y.sum().backward()
        #expect(counter.runs == 3)
        withoutGradient { _ = part() }
        #expect(counter.runs == 4)
    }

    @Test func checkpointsNestAndAllowSecondDerivatives() {
        let x = leaf([0.3, 0.7])
        func function(_ nested: Bool) -> Tensor {
            guard nested else { return x.exp().sin().exp().square() }
            return checkpointed([x]) { outer in
                checkpointed([outer[0].exp()]) { $0[0].sin().exp() }.square()
            }
        }
        func derivatives(_ nested: Bool) -> [[Double]] {
            let y = function(nested)
            let first = Tensor.gradients(of: [y.sum()], withRespectTo: [x], creatingGraph: true)[0]!
            let second = Tensor.gradients(of: [first.sum()], withRespectTo: [x])[0]!
            return [y, first, second].map { $0.scalars(as: Double.self) }
        }
        #expect(derivatives(true) == derivatives(false))
    }

    /// Each weight is used once: libtorch shares its cache of cast weights between threads, so that the end of another
    /// test's scope decides whether a second use casts again, and in which type the gradients of both are added.
    @Test func checkpointingRestoresAutocast() {
        func run(_ checkpointing: Bool) -> [[Double]] {
            let generator = Generator(seed: 5)
            let weights = [Tensor.normal([4, 4], generator: generator), .normal([4, 4], generator: generator)]
            for weight in weights { weight.requiresGradient = true }
            let x = Tensor.normal([2, 4], generator: Generator(seed: 6))
            let y = autocast(.bfloat16) {
                let body = { (inputs: [Tensor]) in inputs[0].matmul(weights[0]).gelu().matmul(weights[1]) }
                return checkpointing ? checkpointed([x], body) : body([x])
            }
            y.sum().backward()
            return weights.map { $0.gradient!.scalars(as: Double.self) }
        }
        #expect(run(true) == run(false))
    }

    @Test func checkpointingNoticesAChangedBody() {
        final class Counter { var runs = 0 }
        let counter = Counter()
        let x = leaf([1])
        let y = checkpointed([x]) { inputs in
            counter.runs += 1
            return counter.runs == 1 ? inputs[0].exp().exp() : inputs[0].exp()
        }
        let error = #expect(throws: ConcordError.self) { try withTensorErrors { y.backward() } }
        #expect(error?.message.contains("must do the same operations") == true)
    }

    @Test func checkpointingFreesWhatTheBodySaved() {
        // Were the graph to keep what it saved, or the closure to outlive the graph, the tensor would stay alive.
        weak var kept: Tensor?
        do {
            let x = leaf([1, 2])
            let y = checkpointed([x]) { $0[0].exp() }.sum()
            kept = x
            y.backward()
        }
        #expect(kept == nil)
    }
}
