import ConcordCore
import ConcordLosses
import ConcordModelTestSupport
import ConcordNN
import ConcordTensor
import Foundation
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

    @Test func whoDoesNotComeIsNamed() throws {
        let port = try ProcessMembership.freePort()
        let results = try runThreads(2) { rank in
            try ProcessGroup(host: "127.0.0.1", port: port, rank: rank, worldSize: 4, timeout: 6).rank
        }
        for result in results {
            let error = #expect(throws: ConcordError.self) { try result.get() }
            #expect(error?.code == .processGroup)
            #expect(error?.message.contains("ranks 2, 3 of 4 did not come") == true, "\(error?.message ?? "")")
        }
    }

    @Test func withoutRankZeroThereIsNoMeeting() throws {
        let error = try #require(
            #expect(throws: ConcordError.self) {
                try ProcessGroup(
                    host: "127.0.0.1", port: ProcessMembership.freePort(), rank: 1, worldSize: 2, timeout: 0.3)
            })
        #expect(error.code == .processGroup)
        #expect(error.message.contains("rank 1") && error.message.contains("WORLD_SIZE"))
    }

    /// Both the two and the one between them are told.
    @Test func twoProcessesWithOneRank() throws {
        let port = try ProcessMembership.freePort()
        let results = try runThreads(3) { index in
            try ProcessGroup(host: "127.0.0.1", port: port, rank: min(index, 1), worldSize: 3, timeout: 20).rank
        }
        for result in results {
            let error = #expect(throws: ConcordError.self) { try result.get() }
            #expect(error?.message.contains("two processes have RANK 1") == true, "\(error?.message ?? "")")
        }
    }

    @Test func worldSizesThatDiffer() throws {
        let port = try ProcessMembership.freePort()
        let results = try runThreads(2) { rank in
            try ProcessGroup(host: "127.0.0.1", port: port, rank: rank, worldSize: 2 + rank, timeout: 20).rank
        }
        for result in results {
            let error = #expect(throws: ConcordError.self) { try result.get() }
            #expect(error?.message.contains("WORLD_SIZE 3") == true || error?.message.contains("WORLD_SIZE 2") == true)
        }
    }

    @Test func aPortInUse() throws {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        let port = try ProcessMembership.freePort()
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0 ? listen(socket, 1) : -1
            }
        }
        try #require(status == 0)
        let error = #expect(throws: ConcordError.self) {
            try ProcessGroup(host: "127.0.0.1", port: port, rank: 0, worldSize: 2, timeout: 5)
        }
        #expect(error?.code == .processGroup)
        #expect(error?.message.contains("\(port): the port is in use") == true, "\(error?.message ?? "")")
    }

    /// The error is the same on all ranks, and shows the line.
    @Test func whatDiffersBetweenRanksIsNamed() throws {
        let results = try runRanks(3) { group in
            try group.agree(on: [("the version", "1"), ("é", "")])
            try group.agree(on: [
                ("the seed", "7"), ("the recipe", "a: 1\nb: \(group.rank == 2 ? 3 : 2)\nc: 4"),
                ("the data", "\(group.rank)"),
            ])
        }
        for result in results {
            let error = #expect(throws: ConcordError.self) { try result.get() }
            #expect(error?.code == .processGroup)
            #expect(
                error?.message.hasPrefix("the recipe differs: rank 0 has \"b: 2\", rank 2 has \"b: 3\"") == true,
                "\(error?.message ?? "")")
        }
    }

    /// The others learn from the store what the one that fails says.
    @Test func aRankThatFailsIsNamedWithItsError() throws {
        let results = try runRanks(3) { group in
            if group.rank == 2 { throw ConcordError(.invalidImage, "cat.jpg is no image") }
            try group.allReduce(Tensor([1.0]))
        }
        for rank in 0..<2 {
            let error = #expect(throws: ConcordError.self) { try results[rank].get() }
            #expect(error?.code == .processGroup)
            #expect(error?.message.contains("rank 2 failed: cat.jpg is no image") == true, "\(error?.message ?? "")")
        }
    }

    /// Who has computed all it wants leaves; the others go on without it.
    @Test func leavingIsNoFailure() throws {
        let results = try runRanks(2) { group in
            try group.allReduce(Tensor([1.0]))
            if group.rank == 1 { Thread.sleep(forTimeInterval: 0.3) }
            try group.check()
            return group.rank
        }
        for (rank, result) in results.enumerated() { #expect(try result.get() == rank) }
    }

    /// A gradient that overflows on one rank, as it does where each has its own part, is everybody's.
    @Test func allRanksSkipAStepThatOneHasToSkip() throws {
        let results = try runRanks(2) { group in
            let store = ParameterStore(seed: 1), scope = ParameterScope(store)
            let weights = ["first", "second"].map { scope.parameter($0, [2], .ones) }
            var options = GradientScaler.Options()
            options.initialScale = 8
            let scaler = GradientScaler(options: options)
            let taken = try [true, false, true].map { isGood in
                for weight in weights { weight.gradient = Tensor([8, 16] as [Float]) }
                if !isGood, group.rank == 1 { weights[1].gradient = Tensor([8, .infinity] as [Float]) }
                return try scaler.unscale(store.trainable, group: group)
            }
            let gradient = weights[0].gradient?.scalars(as: Double.self) ?? []
            var message = ""
            do {
                for _ in 0..<3 {
                    if group.rank == 1 { weights[1].gradient = Tensor([8, .infinity] as [Float]) }
                    _ = try scaler.unscale(store.trainable, group: group)
                }
            } catch { message = "\(error)" }
            return (taken, gradient, message)
        }
        for result in results {
            let (taken, gradient, message) = try result.get()
            #expect(taken == [true, false, true])
            #expect(gradient == [2, 4])  // by the scale that came down to 4
            #expect(message.contains("second"), "\(message)")
        }
    }
}

/// The place that environment variables give a process.
@Suite struct ProcessMembershipTests {
    private static let whole = [
        "MASTER_ADDR": "node1", "MASTER_PORT": "29500", "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1",
        "LOCAL_WORLD_SIZE": "2",
    ]

    @Test func torchrunAndKubernetes() throws {
        #expect(try ProcessMembership.fromEnvironment([:]) == nil)
        let place = try #require(try ProcessMembership.fromEnvironment(Self.whole))
        #expect(place.host == "node1" && place.port == 29500 && place.rank == 3 && place.worldSize == 4)
        #expect(place.localRank == 1)
        let alone = try #require(
            try ProcessGroup.fromEnvironment([
                "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500", "RANK": "0", "WORLD_SIZE": "1",
            ]))
        #expect(alone.rank == 0 && alone.worldSize == 1)
    }

    @Test(
        arguments: [
            ("RANK", nil, "RANK is not set, but MASTER_ADDR, MASTER_PORT, WORLD_SIZE are"),
            ("WORLD_SIZE", nil, "WORLD_SIZE is not set"), ("MASTER_ADDR", nil, "MASTER_ADDR is not set"),
            ("MASTER_PORT", nil, "MASTER_PORT is not set"), ("WORLD_SIZE", "two", "WORLD_SIZE is \"two\""),
            ("RANK", "4", "RANK is 4; with WORLD_SIZE 4"), ("RANK", "-1", "RANK is -1"),
            ("WORLD_SIZE", "0", "WORLD_SIZE is 0"), ("MASTER_PORT", "70000", "MASTER_PORT is 70000"),
            ("LOCAL_RANK", "9", "LOCAL_RANK is 9"), ("LOCAL_WORLD_SIZE", "5", "LOCAL_WORLD_SIZE is 5"),
        ] as [(String, String?, String)])
    func badVariables(_ name: String, _ value: String?, _ message: String) throws {
        var environment = Self.whole
        environment[name] = value
        let error = #expect(throws: ConcordError.self) { try ProcessMembership.fromEnvironment(environment) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test func slurm() throws {
        let step = [
            "SLURM_PROCID": "5", "SLURM_NTASKS": "8", "SLURM_STEP_NUM_TASKS": "6", "SLURM_LOCALID": "1",
            "SLURM_STEP_NODELIST": "gpu[03-07,12],cpu1", "SLURM_JOB_ID": "123456", "SLURM_CPUS_PER_TASK": "3",
        ]
        let place = try #require(try ProcessMembership.fromEnvironment(step))
        #expect(place.host == "gpu03" && place.rank == 5 && place.worldSize == 6 && place.localRank == 1)
        #expect(place.coreCount == 3)
        #expect((20_000..<30_000).contains(place.port))
        // The usual variables come first.
        #expect(try ProcessMembership.fromEnvironment(step.merging(Self.whole) { $1 })?.host == "node1")
        // A batch script without srun, and a step of one task, are processes on their own.
        for (name, value) in [("SLURM_STEP_NODELIST", nil), ("SLURM_STEP_NUM_TASKS", "1")] as [(String, String?)] {
            var alone = step
            alone[name] = value
            #expect(try ProcessMembership.fromEnvironment(alone) == nil)
        }
        for (list, first) in [("node1", "node1"), ("a,b", "a"), ("a,b[1-2]", "a"), ("n[7]-ib,x", "n7-ib")] {
            let named = step.merging(["SLURM_STEP_NODELIST": list]) { $1 }
            #expect(try ProcessMembership.fromEnvironment(named)?.host == first)
        }
    }
}
