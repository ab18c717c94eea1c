import COnnxRuntime
import ConcordCore

/// A model that is loaded and ready to run.
///
/// Runs may be asked for from many tasks and threads at once. Those of the asynchronous methods happen on threads of
/// the session's own, never on Swift's cooperative pool, ``OnnxSessionOptions/concurrentRuns`` at a time.
public final class OnnxSession: Sendable {
    public let options: OnnxSessionOptions
    let model: LoadedModel
    let threads: WorkerThreads

    public var runtime: OnnxRuntime { model.runtime }
    /// What the model takes, in its order. Every run needs all of them.
    public var inputs: [OnnxValueInfo] { model.inputs }
    /// What the model gives, in its order.
    public var outputs: [OnnxValueInfo] { model.outputs }
    /// What the model's file says about itself.
    public var metadata: OnnxModelMetadata { model.metadata }

    /// Loads the model at `path`, and data files beside it. Blocks for as long as that takes. What becomes of the files
    /// afterwards is of no matter, where ``OnnxRuntime/readsDataFiles`` holds.
    ///
    /// Throws `.fileSystem` when the file is not there, `.invalidModel` when ONNX Runtime refuses it, `.unavailable`
    /// when ONNX Runtime itself cannot be opened (`runtime` nil means the shared one), `.invalidArgument` for
    /// impossible options.
    public convenience init(
        path: String, options: OnnxSessionOptions = OnnxSessionOptions(), runtime: OnnxRuntime? = nil
    ) throws(ConcordError) {
        // ONNX Runtime's own texts about files are about its source code.
        _ = try FileReader(path: path)
        try self.init(source: path, options: options, runtime: runtime) { runtime, options, session, message in
            cort_session_open(runtime, path, options, session, message)
        }
    }

    /// Loads the model whose file is in `bytes`, which are not needed afterwards. Blocks for as long as that takes.
    /// Models with data files beside them are refused.
    ///
    /// Throws `.invalidModel` when ONNX Runtime refuses it, `.unavailable` when ONNX Runtime itself cannot be opened
    /// (`runtime` nil means the shared one), `.invalidArgument` for impossible options.
    public convenience init(
        bytes: [UInt8], options: OnnxSessionOptions = OnnxSessionOptions(), runtime: OnnxRuntime? = nil
    ) throws(ConcordError) {
        try self.init(source: "memory", options: options, runtime: runtime) { runtime, options, session, message in
            bytes.withUnsafeBytes {
                cort_session_open_bytes(runtime, $0.baseAddress, $0.count, options, session, message)
            }
        }
    }

    /// Loads the model at `path` on a thread of its own, and waits without blocking. Throws as `init` does.
    public static func load(
        path: String, options: OnnxSessionOptions = OnnxSessionOptions(), runtime: OnnxRuntime? = nil
    ) async throws(ConcordError) -> OnnxSession {
        let loader = WorkerThreads(count: 1, name: "concord-load")
        return try await loader.run { () throws(ConcordError) in
            try OnnxSession(path: path, options: options, runtime: runtime)
        }
    }

    private typealias Open = (
        OpaquePointer, UnsafePointer<cort_session_options>, UnsafeMutablePointer<OpaquePointer?>,
        UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    ) -> Int32

    private init(
        source: String, options: OnnxSessionOptions, runtime: OnnxRuntime?, open: Open
    ) throws(ConcordError) {
        try options.validate()
        let runtime = if let runtime { runtime } else { try OnnxRuntime.shared() }
        var handle: OpaquePointer?
        let (status, message) = withMessage { message in
            options.withSeam { open(runtime.handle, $0, &handle, message) }
        }
        guard status == CORT_OK, let handle else {
            let what =
                status == CORT_INVALID_PROTOBUF
                ? "is no ONNX model, or is damaged; export it again"
                : "cannot be loaded by ONNX Runtime \(runtime.version)"
            throw ConcordError(.invalidModel, "the model from \(source) \(what): \(message)")
        }
        model = LoadedModel(handle: handle, runtime: runtime)
        self.options = options
        threads = WorkerThreads(count: options.concurrentRuns, name: "concord-run")
    }
}
