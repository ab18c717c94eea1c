import ConcordCore
import ConcordLosses
import ConcordModelTestSupport
import ConcordTensor
import Testing

/// Gradients that are summed during the backward pass, here over threads of one process.
@Suite struct GradientReducerTests {
    /// Parameters of several buckets; of the last, one is used by no rank and one by rank 1 alone.
    private static func parameters(_ dtype: DType) -> [Tensor] {
        let generator = Generator(seed: 4)
        let shapes = [[300, 400], [400, 500], [500, 20], [20], [7], [9]]
        return shapes.map { shape in
            let tensor = Tensor.normal(shape, standardDeviation: 0.1, generator: generator).to(dtype).detached()
            tensor.requiresGradient = true
            return tensor
        }
    }

    /// A loss of the part of the batch that a rank has; ranks have different numbers of rows.
    private static func loss(_ parameters: [Tensor], rank: Int, step: Int, isCheckpointed: Bool = false) -> Tensor {
        let generator = Generator(seed: UInt64(100 * step + rank))
        let inputs = Tensor.normal([3 + 2 * rank, 300], generator: generator).to(parameters[0].dtype)
        let body: ([Tensor]) -> Tensor = { inputs in
            let hidden = inputs[0].matmul(parameters[0]).gelu().matmul(parameters[1]).gelu()
            return hidden.matmul(parameters[2]) + parameters[3]
        }
        let outputs = isCheckpointed ? checkpointed([inputs], body) : body([inputs])
        let loss = outputs.square().sum()
        return rank == 1 ? loss + parameters[5].sum() * 3 : loss
    }

    @Test(arguments: [1, 2, 3, 4], [DType.float64, .float32]) func sumsOverRanks(_ ranks: Int, _ dtype: DType) throws {
        let results = try runRanks(ranks) { group in
            let parameters = Self.parameters(dtype)
            let reducer = try GradientReducer(parameters, group: group)
            var largest = 0.0
            // The third step has the buckets of the first one's order.
            for step in 0..<3 {
                for parameter in parameters { parameter.clearGradient() }
                try reducer.backward(
                    Self.loss(parameters, rank: group.rank, step: step, isCheckpointed: step == 1),
                    gradient: Tensor(2.0, dtype: dtype))
                let copies = Self.parameters(dtype)
                for rank in 0..<ranks { (Self.loss(copies, rank: rank, step: step) * 2).backward() }
                for (parameter, copy) in zip(parameters, copies) {
                    let sum = try #require(parameter.gradient)
                    let expected = copy.gradient ?? .zeros(like: copy.detached())
                    let scale = max(expected.abs().max().item(), 1e-30)
                    largest = max(largest, (sum - expected).abs().max().item() / scale)
                }
            }
            return (largest, reducer.bytesSent)
        }
        let bytes = (300 * 400 + 400 * 500 + 500 * 20 + 36) * dtype.byteCount
        for result in results {
            let (error, sent) = try result.get()
            #expect(error < (dtype == .float64 ? 1e-13 : 1e-5))
            #expect(sent == (ranks == 1 ? 0 : bytes * 2 * (ranks - 1) / ranks))
        }
    }

    /// A rank whose loss depends on nothing takes part.
    @Test func aLossWithoutParametersCountsAsZeros() throws {
        let results = try runRanks(3) { group in
            let parameter = Tensor([1.0, 2.0])
            parameter.requiresGradient = true
            let reducer = try GradientReducer([parameter], group: group)
            try reducer.backward(group.rank == 1 ? (parameter * 5).sum() : Tensor(0))
            return parameter.gradient?.scalars(as: Double.self)
        }
        for result in results { #expect(try result.get() == [5, 5]) }
    }

    /// What earlier passes have left is summed, too.
    @Test func earlierPassesTakePart() throws {
        let results = try runRanks(2) { group in
            let parameter = Tensor([1.0])
            parameter.requiresGradient = true
            let reducer = try GradientReducer([parameter], group: group)
            (parameter * Double(group.rank + 1)).sum().backward()
            try reducer.backward((parameter * 10).sum())
            return parameter.gradient?.item()
        }
        for result in results { #expect(try result.get() == 23) }
    }

    @Test func bfloat16HalvesTheBytes() throws {
        let results = try runRanks(3) { group in
            let parameter = Tensor.zeros([4])
            parameter.requiresGradient = true
            let reducer = try GradientReducer([parameter], group: group, compression: .bfloat16)
            let factors = Tensor([1, 100, 0.7, 1e30].map { Float($0) })
            try reducer.backward((parameter * factors).sum())
            return (parameter.gradient?.scalars(as: Double.self) ?? [], reducer.bytesSent)
        }
        for result in results {
            let (values, bytes) = try result.get()
            #expect(values[0] == 3 && values[1] == 300)
            #expect(abs(values[2] / 2.1 - 1) < 0x1p-7 && abs(values[2] / 2.1 - 1) > 1e-4)
            #expect(abs(values[3] / 3e30 - 1) < 0x1p-7)
            #expect(bytes == 4 * 2 * 4 / 3)
        }
    }

    @Test(arguments: ["count", "shape", "dtype"]) func parametersThatDiffer(_ what: String) throws {
        let results = try runRanks(2) { group in
            let isOther = group.rank == 1
            var parameters = [Tensor.zeros([3, isOther && what == "shape" ? 5 : 4])]
            if !(isOther && what == "count") {
                parameters.append(.zeros([2], dtype: isOther && what == "dtype" ? .float64 : .float32))
            }
            for parameter in parameters { parameter.requiresGradient = true }
            _ = try GradientReducer(parameters, group: group)
        }
        for result in results {
            let error = #expect(throws: ConcordError.self) { try result.get() }
            #expect(error?.code == .processGroup, "\(error?.message ?? "")")
        }
    }

    @Test func whatCannotBeSummedIsRefused() throws {
        let group = try ProcessGroup(host: "127.0.0.1", port: 1, rank: 0, worldSize: 1)
        let error = #expect(throws: ConcordError.self) { try GradientReducer([Tensor([1.0])], group: group) }
        #expect(error?.code == .invalidArgument)
    }

    /// The failure of another process comes out of the backward pass as an error of this one.
    @Test func aRankThatFailsBeforeItsBackwardPass() throws {
        let results = try runRanks(3) { group in
            let parameters = Self.parameters(.float32)
            let reducer = try GradientReducer(parameters, group: group)
            for step in 0..<3 {
                if group.rank == 1, step == 2 { throw ConcordError(.nonFiniteValue, "no number") }
                for parameter in parameters { parameter.clearGradient() }
                try reducer.backward(Self.loss(parameters, rank: group.rank, step: step))
            }
        }
        for rank in [0, 2] {
            let error = #expect(throws: ConcordError.self) { try results[rank].get() }
            #expect(error?.code == .processGroup)
            #expect(error?.message.contains("rank 1 failed: no number") == true, "\(error?.message ?? "")")
        }
    }
}
