import CTorch
import ConcordCore
import Foundation

/// The libtorch in use: its version, what this machine offers it, and settings of the whole process.
public enum TorchRuntime {
    /// The version that the package was built for, such as `2.13.0`.
    public static var version: String { String(cString: ctorch_version()) }

    /// The number of threads of one operation. Set it before the first operation.
    public static var threadCount: Int {
        get { Int(ctorch_thread_count()) }
        set { check(ctorch_set_thread_count(Int32(newValue)), "set_num_threads") }
    }

    /// Whether this libtorch has kernels for CUDA, with or without a GPU.
    package static var isBuiltWithCUDA: Bool {
        // Linked by `Package.swift` where libtorch has it; libtorch itself does not say it without a GPU.
        guard let library = dlopen("libtorch_cuda.so", RTLD_LAZY | RTLD_NOLOAD) else { return false }
        dlclose(library)
        return true
    }

    /// Whether this build can use CUDA and a GPU is there.
    public static var hasCUDA: Bool { ctorch_has_cuda() }
    package static var cudaDeviceCount: Int { Int(ctorch_cuda_device_count()) }
    package static func cudaDeviceName(_ index: Int) -> String { string(ctorch_cuda_device_name(Int32(index))) }
    /// Whether the GPU of an Apple computer can be used.
    package static var hasMPS: Bool { ctorch_has_mps() }

    /// The vector instructions that the CPU kernels use, such as `AVX2`.
    package static var cpuCapability: String { string(ctorch_cpu_capability()) }

    /// Whether the CPU multiplies matrices of a type in hardware: bfloat16 by AVX512-BF16 or AMX, float16 by
    /// AVX512-FP16. True for other types.
    package static func hasFastProducts(of dtype: DType) -> Bool { ctorch_has_fast_products(dtype.code) }

    private static func check(_ status: Int32, _ name: StaticString) {
        if status != CTORCH_OK { operationFailed(name, status, "", 0) }
    }

    private static func string(_ text: UnsafeMutablePointer<CChar>?) -> String {
        defer { ctorch_free(text) }
        return text.map { String(cString: $0) } ?? ""
    }
}
