import ConcordCore
import ConcordTensor

/// Two small towers with dropout, a logit scale and a bias.
struct Towers {
    /// `[hidden, width]`, `[width, hidden]` of each tower.
    private let first, second: (inner: Tensor, outer: Tensor)
    let logitScale, logitBias: Tensor

    init(_ dtype: DType) {
        let generator = Generator(seed: 5)
        func leaf(_ tensor: Tensor) -> Tensor {
            let tensor = tensor.to(dtype).detached()
            tensor.requiresGradient = true
            return tensor
        }
        func tower() -> (inner: Tensor, outer: Tensor) {
            (
                leaf(.normal([8, Batch.width], standardDeviation: 0.4, generator: generator)),
                leaf(.normal([5, 8], standardDeviation: 0.4, generator: generator))
            )
        }
        first = tower()
        second = tower()
        logitScale = leaf(Tensor(1.7))
        logitBias = leaf(Tensor(-1.1))
    }

    /// What gradients are compared of.
    var parameters: [(name: String, tensor: Tensor)] {
        [
            ("first.inner", first.inner), ("first.outer", first.outer), ("second.inner", second.inner),
            ("second.outer", second.outer), ("logitScale", logitScale), ("logitBias", logitBias),
        ]
    }

    /// Unit vectors of the two sides, as functions of their inputs. `generator` makes the dropout.
    func embed(_ generator: Generator) -> (first: ([Tensor]) -> Tensor, second: ([Tensor]) -> Tensor) {
        func side(_ tower: (inner: Tensor, outer: Tensor)) -> ([Tensor]) -> Tensor {
            { inputs in
                let hidden = Tensor.linear(inputs[0], weight: tower.inner).gelu()
                let kept = hidden.dropout(probability: 0.3, generator: generator)
                return Tensor.linear(kept, weight: tower.outer).normalized()
            }
        }
        return (side(first), side(second))
    }

    /// The generator of a process's dropout.
    static func generator(rank: Int) -> Generator { Generator(seed: 100 + UInt64(rank)) }
}
