import ConcordCore
import ConcordLosses
import ConcordModelTestSupport
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// AdamW whose moments several processes share out: the same bits as one that keeps all.
@Suite struct OptimizerShardingTests {
    private static let shapes: KeyValuePairs = [
        "wide": [40, 30], "tall": [100, 7], "bias": [30], "scale": [], "last": [11, 5],
    ]

    private static func store() -> ParameterStore {
        let store = ParameterStore(seed: 3)
        let scope = ParameterScope(store)
        for (name, shape) in shapes { _ = scope.parameter(name, shape, .normal(standardDeviation: 0.3)) }
        return store
    }

    /// Steps with gradients that follow from the step, one parameter without any at first.
    private static func train(_ store: ParameterStore, _ optimizer: AdamW, steps: Range<Int>) throws {
        for step in steps {
            let generator = Generator(seed: UInt64(step))
            for parameter in store.trainable {
                parameter.tensor.gradient =
                    parameter.name == "last" && step == 0
                    ? nil : .normal(parameter.tensor.shape, generator: generator)
            }
            optimizer.step(learningRate: 0.01)
            try optimizer.shareUpdates()
        }
    }

    private static func values(_ store: ParameterStore) -> [[Float]] {
        store.parameters.map { $0.tensor.detached().scalars(as: Float.self) }
    }

    @Test(arguments: [1, 2, 3, 7]) func hasTheSameBits(_ ranks: Int) throws {
        let alone = Self.store()
        let optimizer = AdamW(alone.trainable)
        try Self.train(alone, optimizer, steps: 0..<3)
        let half = Self.values(alone)
        try withTemporaryFolder { folder in
            try optimizer.save(to: folder + "/alone")
            try Self.train(alone, optimizer, steps: 3..<5)
            let whole = Self.values(alone)
            let results = try runRanks(ranks) { group in
                let store = Self.store()
                let optimizer = AdamW(store.trainable, sharedBy: group)
                try Self.train(store, optimizer, steps: 0..<3)
                try optimizer.save(to: group.rank == 0 ? folder + "/shared" : nil)
                let half = Self.values(store)
                // Another optimizer goes on from the file of one that kept all.
                let next = AdamW(store.trainable, sharedBy: group)
                try next.restore(TensorFile.read(folder + "/alone"), path: folder + "/alone")
                try Self.train(store, next, steps: 3..<5)
                return (half, Self.values(store), optimizer.namedState.count)
            }
            var kept = 0
            for result in results {
                let (ours, end, tensors) = try result.get()
                #expect(ours == half)
                #expect(end == whole)
                kept += tensors
            }
            #expect(kept == 3 * Self.shapes.count)
            #expect(
                FileManager.default.contents(atPath: folder + "/shared")
                    == FileManager.default.contents(atPath: folder + "/alone"))
        }
    }
}
