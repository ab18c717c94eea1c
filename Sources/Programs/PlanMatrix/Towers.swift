import ConcordCore
import ConcordTensor

/// The samples of the matrix and how processes share them.
struct PairSamples {
    static let count = 23, width = 6, chunk = 4, classes = 9

    /// Inputs of the two towers, float64 `[samples, width]`, and classes, int64 `[samples]`.
    let first, second, labels: Tensor

    /// All samples.
    init() {
        let generator = Generator(seed: 11)
        first = .normal([Self.count, Self.width], generator: generator).to(.float64)
        second = .normal([Self.count, Self.width], generator: generator).to(.float64)
        labels = Tensor((0..<Self.count).map { $0 * 7 % Self.classes })
    }

    private init(_ batch: PairSamples, _ part: Range<Int>) {
        let rows: (Tensor) -> Tensor = { $0.narrowed(axis: 0, from: part.lowerBound, count: part.count) }
        first = rows(batch.first)
        second = rows(batch.second)
        labels = rows(batch.labels)
    }

    /// The samples of a process: 13 and 10 of two, 7, 7, 7 and 2 of four.
    func part(rank: Int, worldSize: Int) -> PairSamples {
        let share = Self.count / worldSize + 2
        return PairSamples(self, min(rank * share, Self.count)..<min((rank + 1) * share, Self.count))
    }
}

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
                leaf(.normal([8, PairSamples.width], standardDeviation: 0.4, generator: generator)),
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
