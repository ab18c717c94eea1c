import ConcordCore
import ConcordTensor
import Foundation
import Testing

@Suite struct OptimizerKernelTests {
    /// Loshchilov & Hutter 2019, algorithm 2, written out.
    @Test func fusedAdamWFollowsThePaper() {
        let (rate, beta1, beta2, decay, epsilon) = (0.01, 0.9, 0.99, 0.1, 1e-6)
        var values = [0.5, -1.25, 2]
        var (first, second) = ([0.0, 0, 0], [0.0, 0, 0])
        let parameter = Tensor(values, shape: [3])
        let moments = (Tensor.zeros([3], dtype: .float64), Tensor.zeros([3], dtype: .float64))
        let step = Tensor(0)
        for iteration in 1...5 {
            let gradients = values.map { Foundation.cos($0 * Double(iteration)) }
            withoutGradient {
                Tensor.fusedAdamW(
                    parameters: [parameter], gradients: [Tensor(gradients, shape: [3])],
                    firstMoments: [moments.0], secondMoments: [moments.1], steps: [step], learningRate: rate,
                    beta1: beta1, beta2: beta2, weightDecay: decay, epsilon: epsilon)
            }
            for index in 0..<3 {
                values[index] *= 1 - rate * decay
                first[index] = beta1 * first[index] + (1 - beta1) * gradients[index]
                second[index] = beta2 * second[index] + (1 - beta2) * gradients[index] * gradients[index]
                let unbiased = first[index] / (1 - Foundation.pow(beta1, Double(iteration)))
                let root = (second[index] / (1 - Foundation.pow(beta2, Double(iteration)))).squareRoot()
                values[index] -= rate * unbiased / (root + epsilon)
            }
            expectClose(parameter.scalars(as: Double.self), values, 1e-12, "step \(iteration)")
            #expect(step.item() == Double(iteration))
        }
        expectClose(moments.0.scalars(as: Double.self), first, 1e-12, "first moment")
        expectClose(moments.1.scalars(as: Double.self), second, 1e-12, "second moment")
    }

    @Test func listsOfTensorsChangeInPlace() {
        let tensors = [Tensor([3, 4] as [Float], shape: [2]), Tensor([2] as [Float], shape: [1])]
        func values() -> [[Float]] { tensors.map { $0.scalars() } }
        #expect(Tensor.foreachNorm(tensors).map { $0.item() } == [5, 2])
        Tensor.foreachMultiply(tensors, by: 2)
        #expect(values() == [[6, 8], [4]])
        Tensor.foreachMultiply(tensors, by: 0.5)
        #expect(values() == [[3, 4], [2]])
        let ends = [Tensor([5, 8] as [Float], shape: [2]), Tensor([0] as [Float], shape: [1])]
        Tensor.foreachLerp(tensors, to: ends, weight: 0.25)
        #expect(values() == [[3.5, 5], [1.5]])
    }
}
