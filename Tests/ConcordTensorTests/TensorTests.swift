import ConcordCore
import ConcordTensor
import Testing

@Suite struct TensorTests {
    @Test func knowsItsShape() {
        let tensor = Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])
        #expect(tensor.shape == [2, 3])
        #expect(tensor.rank == 2)
        #expect(tensor.size(-1) == 3)
        #expect(tensor.scalarCount == 6)
        #expect(tensor.dtype == .float32)
        #expect(tensor.device == .cpu)
        #expect(tensor.isContiguous)
        #expect(!tensor.transposed(0, 1).isContiguous)
        #expect(tensor.transposed(0, 1).sharesMemory(with: tensor))
        #expect(tensor.transposed(0, 1).scalars(as: Int.self) == [1, 4, 2, 5, 3, 6])
        #expect(Tensor(2.5).shape == [])
        #expect(Tensor(2.5).item() == 2.5)
        #expect(Tensor.zeros([2, 0]).scalars(as: Float.self) == [])
        #expect(tensor.description.contains("CPUFloatType"))
    }

    @Test(arguments: DType.allCases) func convertsToAndFromEveryType(_ dtype: DType) {
        let values = [0, 1, 1, 0, 1]
        let tensor = Tensor(values, shape: [5]).to(dtype)
        #expect(tensor.dtype == dtype)
        #expect(tensor.scalars(as: Int.self) == values)
        #expect(tensor.scalars(as: Double.self) == values.map(Double.init))
        #expect(tensor.scalars(as: Float16.self) == values.map { Float16($0) })
        #expect(tensor.scalars(as: Bool.self) == values.map { $0 == 1 })
        let count = tensor.withUnsafeBytes { bytes in
            let copy = Tensor(copying: bytes, shape: [5], dtype: dtype)
            #expect(copy.dtype == dtype)
            #expect(copy.equal(to: tensor).all().item() == 1)
            return bytes.count
        }
        #expect(count == 5 * dtype.byteCount)
    }

    @Test func scalarsKeepIntegersInteger() {
        let indices = Tensor([1, 2], shape: [2])
        #expect((indices + 1).dtype == .int64)
        #expect((indices * 2 - 1).scalars(as: Int.self) == [1, 3])
        #expect((indices * 0.5).dtype == .float32)
        #expect((indices / 2).scalars(as: Float.self) == [0.5, 1])
        #expect((Tensor([1 as Float], shape: [1]) * 2).dtype == .float32)
        #expect((Tensor([1 as Float], shape: [1]) * -0.0).item().sign == .minus)
    }

    @Test func createsFilledTensors() {
        #expect(Tensor.ones([2], dtype: .int32).scalars(as: Int32.self) == [1, 1])
        #expect(Tensor.full([2, 1], 0.1, dtype: .float64).scalars(as: Double.self) == [0.1, 0.1])
        #expect(Tensor.zeros(like: Tensor.ones([2], dtype: .bfloat16)).dtype == .bfloat16)
        #expect(Tensor.empty([3, 2]).shape == [3, 2])
        #expect(Tensor.arange(4).scalars(as: Int.self) == [0, 1, 2, 3])
        #expect(Tensor.arange(0, 1, step: 0.25, dtype: .float32).scalars(as: Float.self) == [0, 0.25, 0.5, 0.75])
    }

    @Test func changesInPlace() {
        let x = Tensor([1, 2, 3] as [Float], shape: [3])
        let y = Tensor([10, 20, 30] as [Float], shape: [3])
        func values() -> [Float] { x.scalars() }
        x.formAdd(y, scale: 0.1)
        #expect(values() == [2, 4, 6])
        x.formAdd(1)
        #expect(values() == [3, 5, 7])
        x.formMultiply(2)
        #expect(values() == [6, 10, 14])
        x.formMultiply(y)
        #expect(values() == [60, 200, 420])
        x.formDivide(y)
        #expect(values() == [6, 10, 14])
        x.formClamp(min: 7, max: 12)
        #expect(values() == [7, 10, 12])
        x.formLerp(to: y, weight: 0.5)
        #expect(values() == [8.5, 15, 21])
        x.copy(from: y)
        #expect(values() == [10, 20, 30])
        x.formAddProduct(of: y, y, scale: 0.01)
        #expect(values() == [11, 24, 39])
        x.copy(from: y)
        x.formAddQuotient(of: y, y, scale: 2)
        #expect(values() == [12, 22, 32])
        x.formMaskedFill(y.greater(than: 15), -1)
        #expect(values() == [12, -1, -1])
        x.formIndexAdd(axis: 0, Tensor([2], shape: [1]), Tensor([5 as Float], shape: [1]))
        #expect(values() == [12, -1, 4])
        x.formIndexCopy(axis: 0, Tensor([0], shape: [1]), Tensor([8 as Float], shape: [1]))
        #expect(values() == [8, -1, 4])
        x.fill(7)
        #expect(values() == [7, 7, 7])
        x.withUnsafeMutableBytes { $0.bindMemory(to: Float.self)[1] = 9 }
        #expect(values() == [7, 9, 7])
        x.zero()
        #expect(values() == [0, 0, 0])
    }

    private final class Storage {
        let bytes: UnsafeMutableRawBufferPointer
        let onDeinit: () -> Void
        init(_ count: Int, onDeinit: @escaping () -> Void) {
            bytes = .allocate(byteCount: count, alignment: 64)
            bytes.initializeMemory(as: UInt8.self, repeating: 0)
            self.onDeinit = onDeinit
        }
        deinit {
            bytes.deallocate()
            onDeinit()
        }
    }

    @Test func borrowsMemoryAndKeepsItsOwner() {
        var released = 0
        var view: Tensor? = nil
        do {
            let storage = Storage(16) { released += 1 }
            storage.bytes.storeBytes(of: 2.5, toByteOffset: 4, as: Float.self)
            let tensor = Tensor(
                borrowing: storage, bytes: UnsafeRawBufferPointer(storage.bytes), shape: [4], dtype: .float32)
            storage.bytes.storeBytes(of: 3.5, toByteOffset: 8, as: Float.self)
            #expect(tensor.scalars(as: Float.self) == [0, 2.5, 3.5, 0], "memory is shared, not copied")
            view = tensor.sliced(axis: 0, from: 1)
        }
        #expect(released == 0)
        #expect(view?.scalars(as: Float.self) == [2.5, 3.5, 0])
        view = nil
        #expect(released == 1)
    }

    @Test func everyPathReleasesItsReferences() {
        final class Log: OpRecorder {
            var calls: [OpCall] = []
            func record(_ call: OpCall) { calls.append(call) }
        }
        let uses: [(String, (Tensor) -> Void)] = [
            ("operators", { x in _ = (x + x * 2 - 1).sum() }),
            ("lists", { x in _ = Tensor.concatenated(x.split(sizes: [1, 3]) + [x]).chunked(2) }),
            ("pairs and triples", { x in _ = (x.maximum(axis: 0), x.topK(2), x.unique()) }),
            (
                "changes in place",
                { x in
                    x.formAdd(x); x.formClamp(min: 0); x.copy(from: x)
                }
            ),
            ("options", { x in _ = x.layerNorm(shape: [4], weight: x, bias: nil) }),
            ("bytes", { x in _ = (x.scalars(as: Int.self), x.withUnsafeBytes { $0.count }, x.rank) }),
            ("indices", { x in _ = x.indexed([x.greater(than: 1)]) }),
            ("any operator", { x in _ = Tensor.callOperator("aten::cat", [.tensors([x, x]), .int(0)]) }),
            ("recorder", { x in withRecorder(Log()) { _ = x.exp() } }),
            ("failures", { x in _ = try? withTensorErrors { _ = x.matmul(Tensor.ones([3])) } }),
            (
                "gradients",
                { x in
                    let y = x.detached()
                    y.requiresGradient = true
                    let z = checkpointed([y]) { $0[0] * x + $0[0].exp() }.sum()
                    _ = Tensor.gradients(of: [z], withRespectTo: [y], retainingGraph: true)
                    z.backward()
                    _ = y.gradient
                }
            ),
        ]
        for (name, use) in uses {
            var released = 0
            do {
                let storage = Storage(16) { released += 1 }
                let bytes = UnsafeRawBufferPointer(storage.bytes)
                use(Tensor(borrowing: storage, bytes: bytes, shape: [4], dtype: .float32))
            }
            #expect(released == 1, "\(name) kept a tensor")
        }
    }

    @Test func copiesMisalignedMemory() {
        var released = 0
        let tensor: Tensor
        do {
            let storage = Storage(16) { released += 1 }
            storage.bytes.storeBytes(of: 2.5, toByteOffset: 2, as: Float.self)
            let bytes = UnsafeRawBufferPointer(rebasing: storage.bytes[2..<10])
            tensor = Tensor(borrowing: storage, bytes: bytes, shape: [2], dtype: .float32)
        }
        #expect(released == 1)
        #expect(tensor.scalars(as: Float.self) == [2.5, 0])
    }

    @Test(arguments: [("cpu", Device.cpu), ("cuda", .cuda(0)), ("cuda:3", .cuda(3)), ("mps", .mps)])
    func readsDevices(_ text: String, _ device: Device) throws {
        #expect(try Device(text) == device)
        #expect(try Device(device.description) == device)
    }

    @Test(arguments: ["", "gpu", "cpu:0", "cuda:", "cuda:x", "cuda:-1", "cuda:1:2", "cuda:999"])
    func refusesDevices(_ text: String) {
        #expect(throws: ConcordError.self) { try Device(text) }
    }

    @Test func callsAnyOperator() {
        let x = Tensor([3, 1, 2] as [Double], shape: [3])
        let results = Tensor.callOperator("aten::cummax", [.tensor(x), .int(0)])
        #expect(results.map { $0.scalars(as: Double.self) } == [[3, 3, 3], [0, 0, 0]])
        let sum = Tensor.callOperator("aten::sum.dim_IntList", [.tensor(x), .ints([0]), .bool(true)])
        #expect(sum[0].shape == [1])
        let joined = Tensor.callOperator("aten::cat", [.tensors([x, x])])
        #expect(joined[0].shape == [6])
        #expect(throws: ConcordError.self) {
            try withTensorErrors { _ = Tensor.callOperator("aten::no_such_thing", []) }
        }
        #expect(throws: ConcordError.self) {
            try withTensorErrors { _ = Tensor.callOperator("aten::cummax", [.tensor(x)]) }
        }
    }

    @Test func describesTheRuntime() {
        #expect(TorchRuntime.version.hasPrefix("2."))
        #expect(TorchRuntime.threadCount > 0)
        #expect(!TorchRuntime.cpuCapability.isEmpty)
        #expect(TorchRuntime.hasCUDA == (TorchRuntime.cudaDeviceCount > 0))
    }
}
