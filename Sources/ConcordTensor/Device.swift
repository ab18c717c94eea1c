import CTorch
import ConcordCore

/// The place of a tensor's elements and operations.
public enum Device: Hashable, Sendable, CustomStringConvertible {
    case cpu
    /// An NVIDIA GPU, by its index.
    case cuda(Int)
    /// The GPU of an Apple computer.
    case mps

    /// A device without its index.
    public enum Kind: Hashable, Sendable {
        case cpu, cuda, mps
    }

    /// Reads `cpu`, `cuda`, `cuda:1` or `mps`.
    ///
    /// - Throws: ``ConcordError`` with code `invalidConfiguration` for anything else.
    public init(_ text: String) throws {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        switch (parts.first, parts.count) {
        case ("cpu", 1): self = .cpu
        case ("mps", 1): self = .mps
        case ("cuda", 1): self = .cuda(0)
        case ("cuda", 2):
            guard let index = Int(parts[1]), (0..<128).contains(index) else { fallthrough }
            self = .cuda(index)
        default:
            throw ConcordError(
                .invalidConfiguration,
                "unknown device \"\(text)\"; use cpu, cuda, cuda:<index> or mps"
                    + (text.lowercased().hasPrefix("gpu") ? " (NVIDIA's GPUs are cuda)" : ""))
        }
    }

    /// This device, if it is available.
    ///
    /// - Throws: `.unavailable`, naming the devices that are.
    package func checked() throws(ConcordError) -> Device {
        let isThere =
            switch self {
            case .cpu: true
            case .cuda(let index): index < TorchRuntime.cudaDeviceCount
            case .mps: TorchRuntime.hasMPS
            }
        guard !isThere else { return self }
        let count = TorchRuntime.cudaDeviceCount
        let others = (count > 0 ? " or cuda:0…cuda:\(count - 1)" : "") + (TorchRuntime.hasMPS ? " or mps" : "")
        let (reason, remedy) = count > 0 ? ("", "") : absence
        throw ConcordError(.unavailable, "the device \(self) is not available\(reason); use cpu\(others)\(remedy)")
    }

    /// The reason why there is no such device at all, and the remedy.
    private var absence: (reason: String, remedy: String) {
        switch self {
        case .cpu: ("", "")
        case .mps: (": it is the GPU of a Mac", "")
        case .cuda where TorchRuntime.isBuiltWithCUDA:
            (": libtorch has CUDA, but finds no GPU", ", or check with `nvidia-smi` that the driver finds one")
        case .cuda:
            (
                ": this libtorch is built for CPUs only",
                ", or install one with CUDA (`pip install torch==\(TorchRuntime.version)` in a Python environment) and build "
                    + "Concord again with LIBTORCH=<environment>/lib/python3.x/site-packages/torch"
            )
        }
    }

    public var kind: Kind {
        switch self {
        case .cpu: .cpu
        case .cuda: .cuda
        case .mps: .mps
        }
    }

    public var description: String {
        switch self {
        case .cpu: "cpu"
        case .cuda(let index): "cuda:\(index)"
        case .mps: "mps"
        }
    }

    init(_ value: ctorch_device) {
        switch value.kind {
        case Kind.cuda.code: self = .cuda(max(0, Int(value.index)))
        case Kind.mps.code: self = .mps
        default: self = .cpu
        }
    }

    var cValue: ctorch_device {
        switch self {
        case .cpu: ctorch_device(kind: Kind.cpu.code, index: -1)
        case .cuda(let index): ctorch_device(kind: Kind.cuda.code, index: Int32(index))
        case .mps: ctorch_device(kind: Kind.mps.code, index: 0)
        }
    }
}

extension Device.Kind {
    /// The number of libtorch's device type.
    var code: Int32 {
        switch self {
        case .cpu: 0
        case .cuda: 1
        case .mps: 13
        }
    }
}
