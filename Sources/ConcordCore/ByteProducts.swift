/// How this processor multiplies 8-bit numbers.
public enum ByteProducts {
    /// Whether sums of two products of unsigned and signed 8-bit numbers are cut off at 16 bits.
    ///
    /// That is so on x86 processors without the VNNI instructions (AVX2, and the first with AVX-512): wrong results
    /// where activations and weights are both large. Weights of 7 bits keep the sums small enough.
    public static let saturate: Bool = {
        #if arch(x86_64)
            return saturate(processorInformation: Files.systemText("/proc/cpuinfo"))
        #else
            return false
        #endif
    }()

    /// The same, from the text of `/proc/cpuinfo`; true where it does not say.
    package static func saturate(processorInformation text: String) -> Bool {
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("flags") }) else { return true }
        let flags = Set(line.split { $0 == " " || $0 == "\t" || $0 == ":" })
        return flags.isDisjoint(with: ["avx512_vnni", "avx_vnni"])
    }
}
