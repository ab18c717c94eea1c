import CTorch
import ConcordCore

// Elements between Swift's memory and tensors.

extension Tensor {
    /// Copies `values`, in row-major order, into a tensor of `shape`.
    public convenience init<Scalar: TensorScalar>(_ values: [Scalar], shape: [Int], device: Device = .cpu) {
        let count = shape.reduce(1, *)
        precondition(
            values.count == count, "\(values.count) values do not fill a tensor of shape \(shape), which has \(count)")
        self.init(
            handle: values.withUnsafeBytes { Self.copied($0, shape: shape, dtype: Scalar.dtype, device: device) })
    }

    /// Copies `values` into a vector `[count]`.
    public convenience init<Scalar: TensorScalar>(_ values: [Scalar], device: Device = .cpu) {
        self.init(values, shape: [values.count], device: device)
    }

    /// A 0-d tensor of one number.
    public convenience init(_ scalar: Double, dtype: DType = .float32, device: Device = .cpu) {
        var handle: OpaquePointer?
        let status = ctorch_full([], 0, scalar, dtype.code, device.cValue, &handle)
        if status != CTORCH_OK { operationFailed("full", status, "", 0) }
        self.init(handle: handle)
    }

    /// Copies row-major bytes in the host's byte order into a tensor of `shape`.
    package convenience init(
        copying bytes: UnsafeRawBufferPointer, shape: [Int], dtype: DType, device: Device = .cpu
    ) {
        Self.requireByteCount(bytes, shape: shape, dtype: dtype)
        self.init(handle: Self.copied(bytes, shape: shape, dtype: dtype, device: device))
    }

    /// A CPU tensor over memory that belongs to `owner`, without copying; misaligned memory is copied.
    ///
    /// The tensor and its views keep `owner` alive. The memory must not change or move as long as `owner` lives, and
    /// the tensor must not be written to if the memory is read-only, as a mapped file's is.
    package convenience init(borrowing owner: AnyObject, bytes: UnsafeRawBufferPointer, shape: [Int], dtype: DType) {
        Self.requireByteCount(bytes, shape: shape, dtype: dtype)
        guard let base = bytes.baseAddress, !bytes.isEmpty, Int(bitPattern: base) % dtype.byteCount == 0 else {
            self.init(handle: Self.copied(bytes, shape: shape, dtype: dtype, device: .cpu))
            return
        }
        var handle: OpaquePointer?
        let retained = Unmanaged.passRetained(owner)
        let status = ctorch_borrow_bytes(
            base, shape, shape.count, dtype.code, retained.toOpaque(),
            { context in
                if let context { Unmanaged<AnyObject>.fromOpaque(context).release() }
            }, &handle)
        if status != CTORCH_OK {
            retained.release()
            operationFailed("from_blob", status, "", 0)
        }
        self.init(handle: handle)
    }

    private static func copied(
        _ bytes: UnsafeRawBufferPointer, shape: [Int], dtype: DType, device: Device
    ) -> OpaquePointer? {
        var handle: OpaquePointer?
        let status = ctorch_copy_bytes(bytes.baseAddress, shape, shape.count, dtype.code, device.cValue, &handle)
        if status != CTORCH_OK { operationFailed("empty", status, "", 0) }
        return handle
    }

    private static func requireByteCount(_ bytes: UnsafeRawBufferPointer, shape: [Int], dtype: DType) {
        let count = shape.reduce(dtype.byteCount, *)
        precondition(
            bytes.count == count,
            "\(bytes.count) bytes do not fill a \(dtype) tensor of shape \(shape), it has \(count)")
    }

    /// The value of a tensor with one element. NaN inside a failed error scope.
    public func item(file: StaticString = #fileID, line: UInt = #line) -> Double {
        var value = Double.nan
        let status = ctorch_item(handle, &value)
        if status != CTORCH_OK { operationFailed("item", status, file, line) }
        return value
    }

    /// The elements in row-major order, converted to `type`; from any device and layout.
    public func scalars<Scalar: TensorScalar>(as type: Scalar.Type = Scalar.self) -> [Scalar] {
        let host = detached().to(.cpu).to(Scalar.dtype)
        return host.withUnsafeBytes { bytes in
            [Scalar](unsafeUninitializedCapacity: host.scalarCount) { buffer, count in
                count = host.scalarCount
                UnsafeMutableRawBufferPointer(buffer).copyMemory(from: bytes)
            }
        }
    }

    /// Calls `body` with the elements' bytes in row-major order, copied first if the tensor is not contiguous on the
    /// CPU. The bytes are valid only inside `body`.
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        let host = detached().to(.cpu).contiguous()
        return try host.withData { try body(UnsafeRawBufferPointer($0)) }
    }

    /// Calls `body` with the elements' bytes in row-major order, to be changed in place. The tensor must be contiguous
    /// on the CPU. The bytes are valid only inside `body`.
    package func withUnsafeMutableBytes<Result>(
        _ body: (UnsafeMutableRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        precondition(
            !isDefined || (device == .cpu && isContiguous),
            "bytes can be changed only of a contiguous tensor on the CPU; this one is on \(device)")
        return try withData(body)
    }

    private func withData<Result>(_ body: (UnsafeMutableRawBufferPointer) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) {
            var data: UnsafeMutableRawPointer?
            if isDefined {
                let status = ctorch_data(handle, &data)
                if status != CTORCH_OK { operationFailed("data_ptr", status, "", 0) }
            }
            let count = data == nil ? 0 : scalarCount * dtype.byteCount
            return try body(UnsafeMutableRawBufferPointer(start: data, count: count))
        }
    }
}

extension Tensor {
    /// This tensor with elements of another type; itself if it has that type already.
    public func to(_ dtype: DType, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("to.dtype", [.tensor(self)], ["dtype": .dtype(dtype)], file, line) {
            ctorch_to(handle, ctorch_device(kind: -1, index: -1), dtype.code, false, $0)
        }
    }

    /// This tensor on another device; itself if it is there already.
    ///
    /// With `nonBlocking`, a copy between pinned host memory and a GPU returns before it is done.
    public func to(
        _ device: Device, nonBlocking: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("to.device", [.tensor(self)], ["device": .device(device)], file, line) {
            ctorch_to(handle, device.cValue, -1, nonBlocking, $0)
        }
    }
}
