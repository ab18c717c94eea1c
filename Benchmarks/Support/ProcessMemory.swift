import Foundation

/// Resident memory of this process, in bytes, as Linux counts it.
public enum ProcessMemory {
    /// What is resident now.
    public static var resident: Int { bytes("VmRSS") }
    /// The most that was resident since the start or the last ``resetPeak()``.
    public static var peak: Int { bytes("VmHWM") }

    /// Begins a new measurement of ``peak`` from what is resident now.
    public static func resetPeak() {
        guard let file = fopen("/proc/self/clear_refs", "w") else { return }
        fputs("5", file)
        fclose(file)
    }

    private static func bytes(_ field: String) -> Int {
        // Such a line reads `VmRSS:	    6152 kB`.
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix(field + ":") }),
            let kibibytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) })
        else { return 0 }
        return kibibytes * 1024
    }
}
