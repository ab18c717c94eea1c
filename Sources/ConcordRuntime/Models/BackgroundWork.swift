import ConcordCore
import Foundation

/// Work on a thread of its own, for callers that block until it is done.
///
/// `@unchecked Sendable`: `result` is touched only while `condition` is locked.
final class BackgroundWork<Value: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private var result: Result<Value, ConcordError>?

    init(_ work: @escaping @Sendable () throws(ConcordError) -> Value) {
        let thread = Thread { [self] in
            let result = Result { () throws(ConcordError) in try work() }
            condition.lock()
            self.result = result
            condition.broadcast()
            condition.unlock()
        }
        thread.name = "concord-background"
        thread.start()
    }

    /// Blocks until the work is done. Throws what it threw.
    func value() throws(ConcordError) -> Value {
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let result { return try result.get() }
            condition.wait()
        }
    }
}
