import CTorch
import ConcordCore

/// Runs `body` so that a failing tensor operation does not trap: it returns the undefined tensor, operations on that
/// do nothing, and the first failure is thrown here.
///
/// For boundaries where one request or file must not end the process. Scopes nest, each throws its own first failure.
///
/// - Throws: ``ConcordError`` with code `tensorOperation` for the first failed operation, or what `body` throws.
public func withTensorErrors<Result>(_ body: () throws -> Result) throws -> Result {
    let thread = ctorch_this_thread()
    let scope = ErrorScope()
    let previous = thread?.pointee.error_scope
    thread?.pointee.error_scope = Unmanaged.passUnretained(scope).toOpaque()
    defer { thread?.pointee.error_scope = previous }
    let result: Result
    do {
        result = try body()
    } catch {
        // An operation that failed before is the cause.
        throw scope.firstError ?? error
    }
    if let error = scope.firstError { throw error }
    return result
}

private final class ErrorScope {
    var firstError: ConcordError?
}

/// Handles a C call that returned `status`: keeps the error for the scope of this thread, or ends the process.
@inline(never)
func operationFailed(_ name: StaticString, _ status: Int32, _ file: StaticString, _ line: UInt) {
    let text = ctorch_last_error().map { String(cString: $0) } ?? "unknown error"
    let place = line == 0 ? "" : " at \(file):\(line)"
    let message = "aten::\(name)\(place): \(text)"
    guard let pointer = ctorch_this_thread().pointee.error_scope else {
        if line == 0 { fatalError(message) }
        fatalError("aten::\(name): \(text)", file: file, line: line)
    }
    let scope = Unmanaged<ErrorScope>.fromOpaque(pointer).takeUnretainedValue()
    guard scope.firstError == nil else { return }
    scope.firstError = ConcordError(status == CTORCH_PROCESS_GROUP ? .processGroup : .tensorOperation, message)
}
