import COnnxRuntime
import ConcordCore

/// A model that is loaded and ready to run.
///
/// All methods block while they work. Any number of threads may run a session at once; each run uses
/// ``OnnxSessionOptions/threadsPerRun`` threads, of which the calling thread is one.
package final class OnnxSession: Sendable {
    package let options: OnnxSessionOptions
    package let runtime: OnnxRuntime
    /// The model's inputs, in its order. Every run needs all of them.
    package let inputs: [OnnxValueInfo]
    /// The model's outputs, in its order.
    package let outputs: [OnnxValueInfo]
    /// The texts that the model's file carries about itself.
    package let metadata: OnnxModelMetadata
    /// Runs may use it from many threads at once; it is closed with this object.
    private nonisolated(unsafe) let handle: OpaquePointer

    /// Loads the model at `path`, and data files beside it. Blocks for as long as that takes. What becomes of the files
    /// afterwards is of no matter, where ``OnnxRuntime/readsDataFiles`` holds.
    ///
    /// Throws `.fileSystem` when the file is not there, `.invalidModel` when ONNX Runtime refuses it, `.unavailable`
    /// when ONNX Runtime itself cannot be opened (`runtime` `nil` means the shared one), `.invalidArgument` for
    /// impossible options.
    package convenience init(
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
    /// (`runtime` `nil` means the shared one), `.invalidArgument` for impossible options.
    package convenience init(
        bytes: [UInt8], options: OnnxSessionOptions = OnnxSessionOptions(), runtime: OnnxRuntime? = nil
    ) throws(ConcordError) {
        try self.init(source: "memory", options: options, runtime: runtime) { runtime, options, session, message in
            bytes.withUnsafeBytes {
                cort_session_open_bytes(runtime, $0.baseAddress, $0.count, options, session, message)
            }
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
                ? "is not an ONNX model or is damaged; export it again"
                : "cannot be loaded by ONNX Runtime \(runtime.version)"
            throw ConcordError(.invalidModel, "the model from \(source) \(what): \(message)")
        }
        self.handle = handle
        self.runtime = runtime
        self.options = options
        inputs = (0..<cort_session_input_count(handle)).map { OnnxValueInfo(cort_session_input(handle, $0).pointee) }
        outputs = (0..<cort_session_output_count(handle)).map {
            OnnxValueInfo(cort_session_output(handle, $0).pointee)
        }
        metadata = OnnxModelMetadata(cort_session_metadata(handle).pointee)
    }

    deinit { cort_session_close(handle) }

    // MARK: - Runs

    /// Runs the model on the calling thread.
    ///
    /// - Parameters:
    ///   - inputs: a value for each of the model's ``inputs``.
    ///   - outputs: the names of those of the model's ``outputs`` to compute; `nil` means all.
    /// - Throws: `.invalidArgument` for names that the model does not have or that are missing, `.dtypeMismatch` and
    ///   `.shapeMismatch` for values that do not fit, `.inference` if the run itself failed.
    package func run(
        _ inputs: [String: OnnxValue], outputs: [String]? = nil
    ) throws(ConcordError) -> [String: OnnxValue] {
        let values = try checkedValues(inputs)
        let names = outputs ?? self.outputs.map(\.name)
        let results = try run(values, wanted: positions(of: names))
        return Dictionary(zip(names, results), uniquingKeysWith: { first, _ in first })
    }

    /// Runs the model on values that are known to fit.
    ///
    /// - Parameters:
    ///   - values: one for each of ``inputs``, of the right type and shape.
    ///   - wanted: positions in ``outputs``.
    /// - Returns: the values of `wanted`.
    func run(_ values: [OnnxValue], wanted: [Int]) throws(ConcordError) -> [OnnxValue] {
        let inputNames = inputs.indices.map { cort_session_input(handle, $0).pointee.name }
        let outputNames = wanted.map { cort_session_output(handle, $0).pointee.name }
        let tensors = values.map(\.tensor)
        var results = [cort_tensor](repeating: cort_tensor(), count: wanted.count)
        let (status, message) = withMessage { message in
            cort_run(handle, inputNames, tensors, tensors.count, outputNames, &results, results.count, message)
        }
        // The tensors only point to the memory of these.
        withExtendedLifetime(values) {}
        guard status == CORT_OK else { throw ConcordError(.inference, "the model's run failed: \(message)") }
        // Owners are taken over before the first error can leave the others behind.
        let made = zip(wanted, results).map { output, result in
            Result { () throws(ConcordError) in
                try OnnxValue(output: result, named: outputs[output].name, of: runtime)
            }
        }
        return try made.map { result throws(ConcordError) in try result.get() }
    }
}

// MARK: - Checks

extension OnnxSession {
    /// The values of a run, in the order of ``inputs``.
    ///
    /// - Throws: `.invalidArgument` for names that are unknown or missing, `.dtypeMismatch`, `.shapeMismatch`.
    private func checkedValues(_ named: [String: OnnxValue]) throws(ConcordError) -> [OnnxValue] {
        for name in named.keys.sorted() where !inputs.contains(where: { $0.name == name }) {
            throw Self.unknown("input", name, inputs)
        }
        // The length that each symbolic axis has in this run, and the input that said so.
        var lengths: [String: (length: Int, input: String)] = [:]
        return try inputs.map { info throws(ConcordError) in
            guard let value = named[info.name] else {
                throw ConcordError(.invalidArgument, "the model's input '\(info.name)' is missing; it is \(info)")
            }
            try Self.check(value, info, &lengths)
            return value
        }
    }

    /// The positions of outputs. Throws `.invalidArgument` for names that are unknown or given twice, or none.
    private func positions(of names: [String]) throws(ConcordError) -> [Int] {
        var wanted: [Int] = []
        for name in names {
            guard let index = outputs.firstIndex(where: { $0.name == name }) else {
                throw Self.unknown("output", name, outputs)
            }
            guard !wanted.contains(index) else {
                throw ConcordError(.invalidArgument, "the output '\(name)' is requested twice; name it once")
            }
            wanted.append(index)
        }
        guard !wanted.isEmpty else {
            throw ConcordError(.invalidArgument, "no outputs are requested; name at least one")
        }
        return wanted
    }

    private static func check(
        _ value: OnnxValue, _ info: OnnxValueInfo, _ lengths: inout [String: (length: Int, input: String)]
    ) throws(ConcordError) {
        guard value.elementType == info.elementType else {
            throw ConcordError(
                .dtypeMismatch,
                "the input '\(info.name)' takes \(info.elementType?.description ?? "no tensor"), and "
                    + "got \(value.elementType)")
        }
        // A model may leave even the number of axes open.
        if info.shape.isEmpty { return }
        func mismatch(_ reason: String) -> ConcordError {
            ConcordError(.shapeMismatch, "the input \(info) got the shape \(value.shape): \(reason)")
        }
        guard value.shape.count == info.shape.count else {
            throw mismatch("it has \(value.shape.count) axes, but \(info.shape.count) are expected")
        }
        for (axis, (length, dimension)) in zip(value.shape, info.shape).enumerated() {
            switch dimension {
            case .fixed(let expected):
                guard length == expected else {
                    throw mismatch("axis \(axis) has length \(length), but \(expected) is expected")
                }
            case .symbol(let name):
                guard !name.isEmpty else { continue }
                let known = lengths[name] ?? (length, info.name)
                guard known.length == length else {
                    throw mismatch("'\(name)' is \(length) here, and \(known.length) in the input '\(known.input)'")
                }
                lengths[name] = known
            }
        }
    }

    private static func unknown(_ kind: String, _ name: String, _ known: [OnnxValueInfo]) -> ConcordError {
        let suggestion = NearestName.suggestion(for: name, among: known.map(\.name)).map { "; did you mean '\($0)'?" }
        let names = known.map(\.name).joined(separator: ", ")
        return ConcordError(
            .invalidArgument, "the model has no \(kind) '\(name)'\(suggestion ?? "") (its \(kind)s: \(names))")
    }
}
