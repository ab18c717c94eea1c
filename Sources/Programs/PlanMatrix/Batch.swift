import ConcordCore
import ConcordTensor

/// The samples of the matrix and how processes share them.
struct Batch {
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

    private init(_ batch: Batch, _ part: Range<Int>) {
        let rows: (Tensor) -> Tensor = { $0.narrowed(axis: 0, from: part.lowerBound, count: part.count) }
        first = rows(batch.first)
        second = rows(batch.second)
        labels = rows(batch.labels)
    }

    /// The samples of a process: 13 and 10 of two, 7, 7, 7 and 2 of four.
    func part(rank: Int, worldSize: Int) -> Batch {
        let share = Self.count / worldSize + 2
        return Batch(self, min(rank * share, Self.count)..<min((rank + 1) * share, Self.count))
    }
}
