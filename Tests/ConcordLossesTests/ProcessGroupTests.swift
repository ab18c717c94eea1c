import ConcordCore
import ConcordLosses
import ConcordTensor
import Testing

/// Groups of ranks, here on threads of one process; `PlanMatrixTests` has them in processes of their own.
@Suite struct ProcessGroupTests {
    @Test func reducesGathersAndBroadcasts() throws {
        let results = try runRanks(3) { group in
            let rank = Double(group.rank)
            let sum = Tensor([rank, 1]), largest = Tensor([rank]), smallest = Tensor([rank + 5]), root = Tensor([rank])
            try group.allReduce(sum)
            try group.allReduce(largest, .maximum)
            try group.allReduce(smallest, .minimum)
            try group.broadcast(root, from: 2)
            let parts = try group.allGather(Tensor([group.rank * 10, 7]))
            return [sum, largest, smallest, root].flatMap { $0.scalars(as: Double.self) }
                + parts.flatMap { $0.scalars(as: Double.self) }
        }
        for result in results {
            #expect(try result.get() == [3, 3, 2, 5, 2, 0, 7, 10, 7, 20, 7])
        }
    }

    /// Ranks may have different numbers of rows, also none.
    @Test func gathersUnevenRows() throws {
        let results = try runRanks(3) { group in
            let counts = [2, 0, 3], count = counts[group.rank]
            let rows = Tensor((0..<count * 2).map { Double(group.rank * 100 + $0) }, shape: [count, 2])
            let gathered = try group.gatherRows(rows)
            return (gathered.all.shape, gathered.all.scalars(as: Double.self), gathered.own)
        }
        let own = [0..<2, 2..<2, 2..<5]
        for (rank, result) in results.enumerated() {
            let (shape, values, range) = try result.get()
            #expect(shape == [5, 2])
            #expect(values == [0, 1, 2, 3, 200, 201, 202, 203, 204, 205])
            #expect(range == own[rank])
        }
    }

    @Test func rowsOfDifferentWidthOrTypeAreRefusedEverywhere() throws {
        for isWidth in [true, false] {
            let results = try runRanks(2) { group in
                let other = group.rank == 1
                return try group.gatherRows(
                    .zeros([2, other && isWidth ? 3 : 4], dtype: other && !isWidth ? .int64 : .float64)
                ).all.shape
            }
            for result in results {
                let error = #expect(throws: ConcordError.self) { try result.get() }
                #expect(error?.code == .processGroup)
                #expect(error?.message.contains(isWidth ? "[3]" : "int64") == true, "\(error?.message ?? "")")
            }
        }
    }

    /// A rank whose embeddings are not numbers fails with its own error, and the others do not wait for it.
    @Test func oneBadBatchFailsOnAllRanks() throws {
        let results = try runRanks(2) { group in
            let vectors = Tensor.ones([3, 4])
            if group.rank == 1 { vectors.fill(.nan) }
            return try InfoNCE(temperature: 0.1)(vectors, Tensor.ones([3, 4]), plan: .gathered(group)).item()
        }
        let errors = results.map { result in #expect(throws: ConcordError.self) { try result.get() } }
        #expect(errors[0]?.code == .processGroup)
        #expect(errors[0]?.message.contains("rank 1") == true)
        #expect(errors[1]?.code == .nonFiniteValue)
    }

    /// A batch that has samples on one rank alone is that rank's batch.
    @Test func aRankMayHaveNoSamples() throws {
        let results = try runRanks(2) { group in
            let vectors = Tensor.normal([5, 4], generator: Generator(seed: 1)).to(.float64)
            let own = vectors.narrowed(axis: 0, from: 0, count: group.rank == 0 ? 5 : 0)
            let alone = try InfoNCE(temperature: 0.1)(vectors, vectors * 2)
            return try [
                InfoNCE(temperature: 0.1)(own, own * 2, plan: .gathered(group, rows: 2)).item(), alone.item(),
            ]
        }
        for result in results {
            let values = try result.get()
            #expect(abs(values[0] - values[1]) < 1e-12)
        }
    }

    @Test func whoComesAloneIsToldSo() throws {
        let error = try #require(
            #expect(throws: ConcordError.self) {
                try ProcessGroup(host: "127.0.0.1", port: freePort(), rank: 1, worldSize: 2, timeout: 0.3)
            })
        #expect(error.code == .processGroup)
        #expect(error.message.contains("rank 1") && error.message.contains("WORLD_SIZE"))
    }

    @Test func environment() throws {
        #expect(try ProcessGroup.fromEnvironment([:]) == nil)
        let whole = ["MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "\(try freePort())", "RANK": "0", "WORLD_SIZE": "1"]
        let group = try #require(try ProcessGroup.fromEnvironment(whole))
        #expect(group.rank == 0 && group.worldSize == 1)
        for (name, value, word) in [
            ("RANK", nil, "RANK"), ("WORLD_SIZE", "two", "two"), ("RANK", "3", "rank 3"),
            ("MASTER_PORT", "70000", "70000"),
        ] as [(String, String?, String)] {
            var environment = whole
            environment[name] = value
            let error = #expect(throws: ConcordError.self) { try ProcessGroup.fromEnvironment(environment) }
            #expect(error?.message.contains(word) == true, "\(error?.message ?? "")")
        }
    }
}
