import ConcordCore
import ConcordTensor

/// Zeroes each value with `probability` while training and scales the rest by `1 / (1 − probability)`.
public struct Dropout {
    private let probability: Double
    private let random: RowwiseRandom

    public init(_ scope: ParameterScope, probability: Double) {
        self.probability = probability
        random = RowwiseRandom(scope / "dropout")
    }

    /// `[rows, …]` → the same shape.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        guard random.store.isTraining else { return x }
        return x.dropout(probability: probability) { mask in
            random.fill(mask) { $0.fillBernoulli(probability: 1 - probability, generator: $1) }
        }
    }
}

/// The random numbers of one layer while it trains, row by row where the store has ``ParameterStore/rowSeeds``.
package struct RowwiseRandom {
    package let store: ParameterStore
    /// Keeps the numbers of layers apart.
    private let key: UInt64

    /// - Parameter scope: the place of the layer.
    package init(_ scope: ParameterScope) {
        store = scope.store
        key = scope.path.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }  // FNV-1a
    }

    /// Fills `[rows, …]` with draws.
    ///
    /// - Parameter draw: fills a tensor from a generator.
    package func fill(_ tensor: Tensor, _ draw: (Tensor, Generator) -> Void) {
        withoutGradient {
            guard let seeds = store.rowSeeds else { return draw(tensor, store.generator) }
            let rows = tensor.size(0)
            precondition(
                rows % seeds.count == 0, "\(rows) rows for \(seeds.count) seeds; a layer changed the number of rows")
            // Several views of a row share its seed, one after another.
            let length = rows / seeds.count
            for (row, seed) in seeds.enumerated() {
                store.rowGenerator.seed(RandomSource.value(seed: seed, stream: key))
                draw(tensor.narrowed(axis: 0, from: row * length, count: length), store.rowGenerator)
            }
        }
    }

    /// Uniform numbers `[rows, count]`, float32.
    package func uniform(rows: Int, _ count: Int, device: Device) -> Tensor {
        let result = Tensor.empty([rows, count], device: device)
        fill(result) { $0.fillUniform(from: 0, to: 1, generator: $1) }
        return result
    }
}

extension ParameterStore {
    /// A part of a model that keeps no activations for its backward pass, which computes them again with the same
    /// dropout; see ``ConcordTensor/checkpointed(_:generators:_:)``.
    package func checkpointed(_ inputs: [Tensor], _ body: @escaping ([Tensor]) -> Tensor) -> Tensor {
        let seeds = rowSeeds
        return ConcordTensor.checkpointed(inputs, generators: [generator]) { [self] inputs in
            let current = rowSeeds
            rowSeeds = seeds
            defer { rowSeeds = current }
            return body(inputs)
        }
    }
}

extension ParameterStore {
    /// Runs `body` for some of the rows that ``rowSeeds`` are of.
    package func withSeeds<Result>(ofRows rows: [Int], _ body: () throws -> Result) rethrows -> Result {
        guard let seeds = rowSeeds, rows.count < seeds.count else { return try body() }
        rowSeeds = rows.map { seeds[$0] }
        defer { rowSeeds = seeds }
        return try body()
    }
}
