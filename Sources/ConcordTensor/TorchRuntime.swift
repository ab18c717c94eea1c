import CTorch
import ConcordCore
import Foundation

/// The libtorch in use: its version, what this machine offers it, and settings of the whole process.
public enum TorchRuntime {
    /// The version that the package was built for, such as `2.13.0`.
    public static var version: String { String(cString: ctorch_version()) }

    /// Threads that work on one operation. Set it before the first operation.
    public static var threadCount: Int {
        get { Int(ctorch_thread_count()) }
        set { check(ctorch_set_thread_count(Int32(newValue)), "set_num_threads") }
    }

    /// Threads for operations side by side. Can be set once, before the first use.
    public static var interOpThreadCount: Int {
        get { Int(ctorch_interop_thread_count()) }
        set { check(ctorch_set_interop_thread_count(Int32(newValue)), "set_num_interop_threads") }
    }

    /// Whether this libtorch has kernels for CUDA, with or without a GPU to run them.
    public static var isBuiltWithCUDA: Bool {
        // Linked by `Package.swift` where libtorch has it; libtorch itself does not say it without a GPU.
        guard let library = dlopen("libtorch_cuda.so", RTLD_LAZY | RTLD_NOLOAD) else { return false }
        dlclose(library)
        return true
    }

    /// Whether this build can use CUDA and a GPU is there.
    public static var hasCUDA: Bool { ctorch_has_cuda() }
    public static var cudaDeviceCount: Int { Int(ctorch_cuda_device_count()) }
    public static func cudaDeviceName(_ index: Int) -> String { string(ctorch_cuda_device_name(Int32(index))) }
    /// Whether the GPU of an Apple computer can be used.
    public static var hasMPS: Bool { ctorch_has_mps() }

    /// The vector instructions that the CPU kernels use, such as `AVX2`.
    public static var cpuCapability: String { string(ctorch_cpu_capability()) }

    /// Whether the CPU multiplies matrices of bfloat16 in hardware (AVX512-BF16 or AMX).
    public static var hasFastBFloat16: Bool { ctorch_has_fast_bfloat16() }

    /// How float32 matrices are multiplied.
    public enum MatmulPrecision: Int32, Sendable {
        /// What libtorch does by default, which is full float32.
        case standard = 0
        /// Full float32.
        case float32 = 1
        /// Operands may be rounded to 10 bits of mantissa, on GPUs that have units for it.
        case tensorFloat32 = 2
        /// Operands may be rounded to bfloat16, with sums in float32. On CPUs with AVX-512 this selects oneDNN, which can
        /// be the faster library even where it keeps full float32; it has no effect on others.
        case bfloat16 = 3
    }

    /// Sets how float32 matrices are multiplied on one kind of device.
    public static func setMatmulPrecision(_ precision: MatmulPrecision, on device: Device.Kind = .cpu) {
        check(ctorch_set_matmul_precision(device == .cpu ? 0 : 1, precision.rawValue), "setFloat32Precision")
    }

    /// Treats numbers too small for a normal exponent as zero, on this thread. Returns false where the CPU cannot.
    @discardableResult
    public static func flushDenormals(_ enabled: Bool) -> Bool { ctorch_set_flush_denormal(enabled) }

    /// Makes operations without a deterministic kernel fail instead of giving slightly different results each time.
    public static func deterministicAlgorithms(_ enabled: Bool) {
        check(ctorch_set_deterministic(enabled), "setDeterministicAlgorithms")
    }

    /// Seeds the generators that operations without a generator of their own draw from.
    public static func seedDefaultGenerators(_ seed: UInt64) {
        check(ctorch_seed_default_generators(seed), "manual_seed")
    }

    /// How libtorch runs in parallel: libraries and thread counts.
    public static var parallelDescription: String { string(ctorch_parallel_description()) }

    /// How libtorch was built.
    public static var buildDescription: String { string(ctorch_build_description()) }

    /// Gives memory that was freed back to the system, where the allocator can.
    public static func releaseMemory() { ctorch_release_memory() }

    private static func check(_ status: Int32, _ name: StaticString) {
        if status != CTORCH_OK { operationFailed(name, status, "", 0) }
    }

    private static func string(_ text: UnsafeMutablePointer<CChar>?) -> String {
        defer { ctorch_free(text) }
        return text.map { String(cString: $0) } ?? ""
    }
}
