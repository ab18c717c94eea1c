import COnnxRuntime

/// The memory of a value: its own, or that of an output of ONNX Runtime.
///
/// `@unchecked Sendable`: nothing changes after `init` but what `OnnxValue` writes while it holds the only reference.
final class OnnxMemory: @unchecked Sendable {
    private(set) var bytes: UnsafeMutableRawBufferPointer
    private let release: @Sendable () -> Void

    /// Memory for `count` bytes, not yet set.
    init(count: Int) {
        // Aligned for the widest vector instructions; an empty value has an address, too.
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, 1), alignment: 64)
        self.bytes = UnsafeMutableRawBufferPointer(rebasing: bytes[..<count])
        nonisolated(unsafe) let address = bytes
        release = { address.deallocate() }
    }

    /// An output, which is released with this object.
    init(output: cort_tensor, of runtime: OnnxRuntime) {
        bytes = UnsafeMutableRawBufferPointer(start: output.data, count: output.byte_count)
        nonisolated(unsafe) let owner = output.owner
        release = { cort_release(runtime.handle, owner) }
    }

    /// Leaves out all but the first `count` bytes, which go with the others in the end.
    func shorten(to count: Int) { bytes = UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]) }

    deinit { release() }
}
