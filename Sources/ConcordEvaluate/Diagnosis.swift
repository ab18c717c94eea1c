import ConcordCore
import ConcordData
import ConcordEmoji
import ConcordMedia
import ConcordRuntime
import ConcordTensor
import Foundation

/// The report of `concord doctor`: what this build and this machine have, and how to install what they lack.
public struct Diagnosis: Sendable {
    /// A line of the report: what, and its value.
    package struct Fact: Sendable, Hashable {
        package let name, value: String
    }

    package let facts: [Fact]
    /// Required parts that are missing, each with what to do.
    package let problems: [String]
    /// Parts that could work better, each with what to do.
    public let advice: [String]

    /// The instruction sets that matter for speed.
    private static let interestingFeatures = [
        "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx_vnni", "avx512_bf16",
        "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8", "asimd", "asimdhp", "bf16", "i8mm", "sve", "sve2",
    ]

    /// Looks at this machine.
    public static func take() -> Diagnosis {
        let features = Self.interestingFeatures.filter(CPUFeatures.flags.contains)
        let openMP = loadedLibraries { $0.contains("libgomp") || $0.contains("libiomp") || $0.contains("libomp") }
        var facts = [
            Fact(name: "concord", value: ConcordVersion.current),
            Fact(name: "system", value: ProcessInfo.processInfo.operatingSystemVersionString),
            Fact(
                name: "processor",
                value: "\(CPUFeatures.modelName), \(ProcessInfo.processInfo.activeProcessorCount) cores"),
            Fact(name: "processor features", value: features.joined(separator: " ")),
            Fact(name: "memory", value: "\(ProcessInfo.processInfo.physicalMemory >> 20) MiB"),
            Fact(name: "libtorch", value: TorchRuntime.version),
            Fact(name: "libtorch kernels", value: TorchRuntime.cpuCapability),
            Fact(name: "libtorch threads", value: "\(TorchRuntime.threadCount)"),
            Fact(name: "fast bfloat16", value: TorchRuntime.hasFastProducts(of: .bfloat16) ? "yes" : "no"),
            Fact(name: "fast float16", value: TorchRuntime.hasFastProducts(of: .float16) ? "yes" : "no"),
            Fact(name: "libvips", value: Image.libraryVersion),
            Fact(
                name: "image formats",
                value: ImageFormat.allCases.filter(\.isReadable).map(\.rawValue).joined(separator: " ")),
            Fact(name: "OpenMP runtimes", value: openMP.isEmpty ? "none" : openMP.joined(separator: ", ")),
        ]
        facts += devices.map { Fact(name: "device", value: $0) }
        let onnxRuntime = try? OnnxRuntime.shared()
        facts.append(
            Fact(name: "ONNX Runtime", value: onnxRuntime.map { "\($0.version), \($0.path)" } ?? "not found"))

        var problems = [String](), advice = [String]()
        do {
            facts.append(Fact(name: "emoji font", value: try GlyphRenderer.findFont()))
        } catch { advice.append("`concord dataset emoji` cannot run: \(error)") }
        do {
            facts.append(Fact(name: "CLDR annotations", value: try CLDRAnnotations.findFolder()))
        } catch { advice.append("`concord dataset emoji` cannot run: \(error)") }
        if openMP.count > 1 {
            advice.append(
                "\(openMP.count) OpenMP runtimes are loaded and compete for the cores; preload a single one with "
                    + "LD_PRELOAD=\(openMP[0])")
        }
        let slow = [DType.bfloat16, .float16].filter { !TorchRuntime.hasFastProducts(of: $0) }.map(\.rawValue)
        if !slow.isEmpty {
            advice.append(
                "this CPU has no \(slow.joined(separator: " and no ")) instructions; train.precision: "
                    + "\(slow.joined(separator: " or ")) is slow here")
        }
        if onnxRuntime == nil {
            advice.append("`concord export` and `serve` cannot run without ONNX Runtime; `make setup` installs it")
        }
        #if arch(x86_64)
            if !CPUFeatures.flags.contains("avx2") {
                problems.append("this CPU lacks AVX2, which libtorch's fast kernels need; use a newer machine")
            }
        #endif
        return Diagnosis(facts: facts, problems: problems, advice: advice)
    }

    private static var devices: [String] {
        var devices = ["cpu"]
        devices += (0..<TorchRuntime.cudaDeviceCount).map { "cuda:\($0) \(TorchRuntime.cudaDeviceName($0))" }
        if TorchRuntime.hasMPS { devices.append("mps") }
        return devices
    }

    /// The files of this process's memory map that `matches` wants; Linux only.
    private static func loadedLibraries(_ matches: (String) -> Bool) -> [String] {
        let lines = Files.systemText("/proc/self/maps").split(separator: "\n")
        let paths = lines.compactMap { $0.split(separator: " ").last.map(String.init) }
        return Set(paths.filter { $0.hasPrefix("/") && matches($0) }).sorted()
    }

    /// The form that `concord doctor --json` prints.
    public var json: JSONValue {
        [
            "facts": .array(facts.map { ["name": .string($0.name), "value": .string($0.value)] }),
            "problems": .array(problems.map(JSONValue.string)), "advice": .array(advice.map(JSONValue.string)),
        ]
    }

    /// The form that `concord doctor` prints.
    public var text: String {
        let width = facts.map(\.name.count).max() ?? 0
        var lines = facts.map { $0.name.padding(toLength: width, withPad: " ", startingAt: 0) + "  " + $0.value }
        lines += problems.map { "problem: \($0)" } + advice.map { "advice: \($0)" }
        if problems.isEmpty { lines.append("everything that training needs is installed") }
        return lines.joined(separator: "\n")
    }
}

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

/// The version of the package, as `concord --version` prints it.
package enum ConcordVersion {
    package static let current = "0.1.0"
}
