import COnnxRuntime
import ConcordCore

/// The library ONNX Runtime, found and opened when it is first asked for. Nothing of this package links it.
package final class OnnxRuntime: Sendable {
    /// The release, such as `1.32.0`.
    package let version: String
    /// The library's file, or its bare name where the system found it.
    package let path: String
    /// True if data files of models are read into memory when a session opens. Elsewhere than on Linux they are mapped,
    /// and must not change while it is open.
    package let readsDataFiles: Bool
    /// Never closed; its functions may be called from any thread.
    nonisolated(unsafe) let handle: OpaquePointer

    /// The oldest release that will do.
    package static let minimumVersion = "1.\(CORT_MINIMUM_API).0"

    /// The library that the process uses, opened by the first call; see ``load(environment:)`` for where it is looked
    /// for. Throws `.unavailable`.
    package static func shared() throws(ConcordError) -> OnnxRuntime { try process.get() }

    private static let process = Result { () throws(ConcordError) in
        try load(environment: ProcessInfo.processInfo.environment)
    }

    /// Opens the library.
    ///
    /// Where the variable `ONNXRUNTIME` is set, it names the library, or the folder that it is in, and nothing else is
    /// tried. Otherwise these places are: beside the executable, in `lib` beside the executable's folder, in the
    /// folder that `make setup` fills, in that of the executable's checkout if it has moved since, in the one that
    /// `scripts/setup.sh --shared` fills, and wherever the system looks for libraries. Throws `.unavailable` with
    /// every place and what was wrong there.
    package static func load(environment: [String: String]) throws(ConcordError) -> OnnxRuntime {
        let chosen = environment["ONNXRUNTIME"].flatMap { $0.isEmpty ? nil : $0 }
        var reasons: [String] = []
        for place in chosen.map({ [$0, $0 + "/lib"] }) ?? places(executable: executablePath, home: environment["HOME"])
        {
            guard let path = library(at: place) else {
                reasons.append("\(place) (not there)")
                continue
            }
            var handle: OpaquePointer?
            let (status, message) = withMessage { cort_open(path, &handle, $0) }
            if status == CORT_OK, let handle { return OnnxRuntime(handle: handle, path: path) }
            let reason =
                switch Int(status) {
                case CORT_TOO_OLD: "release \(message); \(minimumVersion) or newer is needed"
                case CORT_NOT_ONNX_RUNTIME: "not ONNX Runtime: \(message)"
                default: message
                }
            reasons.append("\(path) (\(reason))")
        }
        let advice =
            chosen == nil
            ? "run `make setup` in a checkout of Concord, or set ONNXRUNTIME to the library or its folder"
            : "correct the environment variable ONNXRUNTIME, which names the library or its folder, or unset it"
        throw ConcordError(
            .unavailable, "ONNX Runtime cannot be opened; \(advice). Tried: \(reasons.joined(separator: "; "))")
    }

    private init(handle: OpaquePointer, path: String) {
        self.handle = handle
        self.path = path
        version = String(cString: cort_version(handle))
        readsDataFiles = cort_reads_data_files(handle)
    }

    // MARK: - Places

    /// The places where the library is looked for, in order; bare names are for the system to find.
    package static func places(executable: String?, home: String?) -> [String] {
        let beside = executable.map(Files.parent(of:))
        let folders = [
            beside, beside.map { $0 + "/../lib" }, cort_setup_folder().map { String(cString: $0) },
            // From `.build/<platform>/release`.
            beside.map { $0 + "/../../../.deps/onnxruntime/lib" },
            home.map { $0 + "/.local/share/concord/onnxruntime/lib" },
        ]
        #if os(macOS)
            return folders.compactMap { $0 } + ["libonnxruntime.1.dylib", "libonnxruntime.dylib"]
        #else
            return folders.compactMap { $0 } + ["libonnxruntime.so.1", "libonnxruntime.so"]
        #endif
    }

    /// The file to open for a place: a bare name or a file as it is, or the newest library of a folder; `nil` if none is there.
    private static func library(at place: String) -> String? {
        guard place.contains("/") else { return place }
        guard Files.isFolder(place) else { return Files.exists(place) ? place : nil }
        // Wheels hold it as `libonnxruntime.so.1.32.0`, packages as `libonnxruntime.so.1` and more.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []
        return names.filter { $0.hasPrefix("libonnxruntime.") && ($0.contains(".so") || $0.hasSuffix(".dylib")) }
            .max { versionNumbers($0).lexicographicallyPrecedes(versionNumbers($1)) }
            .map { place + "/" + $0 }
    }

    private static func versionNumbers(_ name: String) -> [Int] { name.split(separator: ".").compactMap { Int($0) } }

    private static var executablePath: String? {
        #if canImport(FoundationEssentials)
            try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        #else
            Bundle.main.executablePath
        #endif
    }
}

/// Calls a function of the seam and takes the text of its failure, which is empty on success.
func withMessage(
    _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Int32
) -> (status: Int32, message: String) {
    var text: UnsafeMutablePointer<CChar>?
    let status = body(&text)
    defer { free(text) }
    return (status, text.map { String(cString: $0) } ?? "")
}

extension ConcordError.Code {
    /// A file that is no ONNX model, is damaged, or uses operations that ONNX Runtime does not have.
    public static let invalidModel = Self(rawValue: "invalidModel")
    /// A run that ONNX Runtime could not finish.
    public static let inference = Self(rawValue: "inference")
    /// Work that was given up because its task was cancelled.
    public static let cancelled = Self(rawValue: "cancelled")
}
