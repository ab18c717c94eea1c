import Foundation

/// The processor's name and the instruction sets that matter for speed.
struct Processor {
    let name: String
    let features: [String]
    let isX86: Bool

    private static let interesting = [
        "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx_vnni", "avx512_bf16",
        "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8", "asimd", "asimdhp", "bf16", "i8mm", "sve", "sve2",
    ]

    /// A file of the kernel's as text; empty where there is none. Such files say that they have no bytes, so they are
    /// read until nothing comes.
    static func kernelText(_ path: String) -> String {
        guard let file = FileHandle(forReadingAtPath: path) else { return "" }
        var bytes = Data()
        while let part = try? file.read(upToCount: 1 << 16), !part.isEmpty { bytes += part }
        return String(decoding: bytes, as: UTF8.self)
    }

    static var current: Processor {
        let information = kernelText("/proc/cpuinfo")
        func value(_ keys: String...) -> String? {
            information.split(separator: "\n").first { line in keys.contains { line.hasPrefix($0) } }?
                .split(separator: ":", maxSplits: 1).last.map { $0.trimmingCharacters(in: .whitespaces) }
        }
        let flags = Set((value("flags", "Features") ?? "").split(separator: " ").map(String.init))
        #if arch(x86_64)
            let isX86 = true
        #else
            let isX86 = false
        #endif
        return Processor(
            name: value("model name") ?? "unknown", features: interesting.filter(flags.contains), isX86: isX86)
    }
}
