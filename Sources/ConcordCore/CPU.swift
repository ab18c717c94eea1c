/// The number of processors that this process may use, which in a container is fewer than the machine has.
public enum CPUCount {
    /// The processors that the scheduler lets this process run on, or fewer where a control group grants less time.
    ///
    /// At least 1. A quota is rounded up: 1.5 processors are worth two threads. Looked up once.
    public static let available: Int = {
        let quota = controlGroupQuotas().min().map { Int($0.rounded(.up)) }
        return max(1, min(allowedCount, quota ?? .max))
    }()

    /// The number of processors that the scheduler lets this process run on, whatever its control groups say.
    package static var allowedCount: Int {
        count(status: Files.systemText("/proc/self/status")) ?? ProcessInfo.processInfo.activeProcessorCount
    }

    /// The number of processors in the line `Cpus_allowed_list: 0-3,8` of `/proc/self/status`; nil without that line.
    package static func count(status: String) -> Int? {
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("Cpus_allowed_list:") }) else {
            return nil
        }
        let ranges = line.dropFirst("Cpus_allowed_list:".count).filter { !$0.isWhitespace }.split(separator: ",")
        let counts = ranges.map { range -> Int in
            let ends = range.split(separator: "-").map { Int($0) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, last >= first else { return 0 }
            return last - first + 1
        }
        let count = counts.reduce(0, +)
        return count > 0 ? count : nil
    }

    /// The processors' worth of time that each control group of this process grants, of those that limit it.
    ///
    /// Every group up to the root is asked, since the smallest quota counts. In a container the path that
    /// `/proc/self/cgroup` names is often not mounted, but the container's own group is the root then.
    private static func controlGroupQuotas() -> [Double] {
        Files.systemText("/proc/self/cgroup").split(separator: "\n").flatMap { line -> [Double] in
            // `0::/path` for version 2, `4:cpu,cpuacct:/path` for version 1.
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { return [] }
            let isUnified = fields[0] == "0" && fields[1].isEmpty
            guard isUnified || fields[1].split(separator: ",").contains("cpu") else { return [] }
            var path = String(fields[2])
            var quotas: [Double] = []
            while true {
                let folder = (isUnified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu") + path
                let quota =
                    isUnified
                    ? quota(unified: Files.systemText(folder + "/cpu.max"))
                    : quota(
                        microseconds: Files.systemText(folder + "/cpu.cfs_quota_us"),
                        period: Files.systemText(folder + "/cpu.cfs_period_us"))
                if let quota { quotas.append(quota) }
                if path.isEmpty || path == "/" { return quotas }
                path = Files.parent(of: path)
            }
        }
    }

    /// The processors' worth of time that the file `cpu.max` of a group of version 2 grants; nil for `max` and for
    /// nonsense.
    package static func quota(unified text: String) -> Double? {
        let words = text.split { $0.isWhitespace }
        guard words.count == 2 else { return nil }
        return quota(microseconds: String(words[0]), period: String(words[1]))
    }

    /// Processors' worth of `microseconds` in each `period`; nil for no limit (-1) and what makes no sense.
    package static func quota(microseconds: String, period: String) -> Double? {
        func number(_ text: String) -> Double? { Double(text.trimmed) }
        guard let time = number(microseconds), let period = number(period), time > 0, period > 0 else { return nil }
        return time / period
    }
}

/// The name and instruction sets of the machine's processors, from `/proc/cpuinfo`, which is read once.
public enum CPUFeatures {
    private static let information = Files.systemText("/proc/cpuinfo")

    /// The name that the maker gave the processor; `unknown` where the system does not say.
    package static let modelName = value(of: ["model name"], in: information).map { $0.trimmed } ?? "unknown"

    /// The names of the instruction sets, as Linux spells them: `avx2`, `asimd`.
    package static let flags = flags(in: information) ?? []

    /// Whether sums of two products of unsigned and signed 8-bit numbers are clipped to 16 bits.
    ///
    /// That is so on x86 processors without the VNNI instructions (AVX2, and the first with AVX-512): wrong results
    /// where activations and weights are both large. Weights of 7 bits keep the sums small enough.
    public static let int8DotSaturates: Bool = {
        #if arch(x86_64)
            return int8DotSaturates(information: information)
        #else
            return false
        #endif
    }()

    /// The same for the text of another machine's `/proc/cpuinfo`; true where it does not say.
    package static func int8DotSaturates(information: String) -> Bool {
        flags(in: information)?.isDisjoint(with: ["avx512_vnni", "avx_vnni"]) ?? true
    }

    private static func flags(in information: String) -> Set<String>? {
        value(of: ["flags", "Features"], in: information).map { Set($0.split { $0.isWhitespace }.map(String.init)) }
    }

    /// The text after the colon of the first line that begins with one of the keys.
    private static func value(of keys: [String], in information: String) -> String? {
        let line = information.split(separator: "\n").first { line in keys.contains { line.hasPrefix($0) } }
        return line?.split(separator: ":", maxSplits: 1).dropFirst().first.map(String.init)
    }
}
