import ConcordCore
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

    static var current: Processor {
        let information = Files.systemText("/proc/cpuinfo")
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
