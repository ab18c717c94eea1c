import COnnxRuntime
import ConcordCore

/// A session of ONNX Runtime, with what it says of itself. Runs hold it, so that it stays open while they go on.
final class LoadedModel: Sendable {
    let runtime: OnnxRuntime
    let inputs: [OnnxValueInfo]
    let outputs: [OnnxValueInfo]
    let metadata: OnnxModelMetadata
    /// Runs may use it from many threads at once; it is closed when no reference to this object is left.
    private nonisolated(unsafe) let handle: OpaquePointer

    /// Takes over an open session.
    init(handle: OpaquePointer, runtime: OnnxRuntime) {
        self.runtime = runtime
        self.handle = handle
        inputs = (0..<cort_session_input_count(handle)).map { OnnxValueInfo(cort_session_input(handle, $0).pointee) }
        outputs = (0..<cort_session_output_count(handle)).map {
            OnnxValueInfo(cort_session_output(handle, $0).pointee)
        }
        metadata = OnnxModelMetadata(cort_session_metadata(handle).pointee)
    }

    deinit { cort_session_close(handle) }

    /// Runs the model on this thread.
    ///
    /// - Parameters:
    ///   - values: one for each of `inputs`, of the right type and shape.
    ///   - wanted: positions in `outputs`.
    ///   - places: memory to write to, for each of `wanted`; nil has ONNX Runtime find some.
    /// - Returns: the values of `wanted`; for those with a place, that one.
    func run(
        _ values: [OnnxValue], wanted: [Int], places: [OnnxValue?], cancellation: Cancellation?
    ) throws(ConcordError) -> [OnnxValue] {
        if let cancellation, cancellation.isCancelled { throw .cancelledRun }
        let inputNames = inputs.indices.map { cort_session_input(handle, $0).pointee.name }
        let outputNames = wanted.map { cort_session_output(handle, $0).pointee.name }
        let tensors = values.map(\.tensor)
        var results = places.map { $0?.tensor ?? cort_tensor() }
        let (status, message) = withMessage { message in
            cort_run(
                handle, cancellation?.handle, inputNames, tensors, tensors.count, outputNames, &results,
                results.count, message)
        }
        // The tensors only point to the memory of these.
        withExtendedLifetime((values, places)) {}
        guard status == CORT_OK else {
            if let cancellation, cancellation.isCancelled { throw .cancelledRun }
            throw ConcordError(.inference, "the model's run failed: \(message)")
        }
        // Owners are taken over before the first error can leave the others behind.
        let made = results.indices.map { index in
            Result { () throws(ConcordError) in
                if let place = places[index] { return place }
                return try OnnxValue(output: results[index], named: outputs[wanted[index]].name, of: runtime)
            }
        }
        return try made.map { result throws(ConcordError) in try result.get() }
    }
}

extension ConcordError {
    static let cancelledRun = ConcordError(.cancelled, "the run was given up, because its task was cancelled")
}
