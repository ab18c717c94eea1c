import ConcordCore

extension OnnxSession {
    /// Runs the model on one of the session's threads and waits without blocking.
    ///
    /// When the task is cancelled, a run that waits is dropped, and one that goes on is stopped at its next node.
    ///
    /// - Parameters:
    ///   - inputs: a value for each of the model's ``inputs``.
    ///   - outputs: the names of those of the model's ``outputs`` to compute; nil means all.
    /// - Throws: `.invalidArgument` for names that the model does not have or that are missing, `.dtypeMismatch` and
    ///   `.shapeMismatch` for values that do not fit, `.cancelled`, `.inference` when the run itself failed.
    public func run(
        _ inputs: [String: OnnxValue], outputs: [String]? = nil
    ) async throws(ConcordError) -> [String: OnnxValue] {
        let request = try RunRequest(inputs: inputs, outputs: outputs, model: model)
        return try await run(request)
    }

    /// Runs the model and writes its outputs into the memory of the values given, which must have the right types and
    /// shapes. Otherwise as ``run(_:outputs:)``.
    ///
    /// Values that share their memory with others get new memory first, so those others keep what they hold. After an
    /// error the values are unspecified.
    public func run(
        _ inputs: [String: OnnxValue], into outputs: inout [String: OnnxValue]
    ) async throws(ConcordError) {
        var request = try RunRequest(inputs: inputs, outputs: outputs.keys.sorted(), model: model)
        try request.take(&outputs)
        outputs = try await run(request)
    }

    /// Runs the model on the calling thread, which blocks. Otherwise as ``run(_:outputs:)``.
    ///
    /// For programs that are not asynchronous, and threads that are there to block.
    public func runBlocking(
        _ inputs: [String: OnnxValue], outputs: [String]? = nil
    ) throws(ConcordError) -> [String: OnnxValue] {
        try RunRequest(inputs: inputs, outputs: outputs, model: model).run(model, nil)
    }

    private func run(_ request: RunRequest) async throws(ConcordError) -> [String: OnnxValue] {
        let cancellation = try Cancellation(runtime)
        let result: Result<[String: OnnxValue], ConcordError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                threads.add { [model] in
                    continuation.resume(
                        returning: Result { () throws(ConcordError) in try request.run(model, cancellation) })
                }
            }
        } onCancel: {
            cancellation.cancel()
        }
        return try result.get()
    }
}
