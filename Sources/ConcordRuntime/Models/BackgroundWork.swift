import ConcordCore
import Foundation

/// Work on a thread of its own, for callers that block until it is done.
///
/// `@unchecked Sendable`: `result` is touched only while `condition` is locked.
final class BackgroundWork: @unchecked Sendable {
    private let condition = NSCondition()
    private var result: Result<Void, ConcordError>?

    init(_ work: @escaping @Sendable () throws(ConcordError) -> Void) {
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

    /// Blocks until the work is done, and throws what it threw.
    func wait() throws(ConcordError) {
        condition.lock()
        while result == nil { condition.wait() }
        let result = result
        condition.unlock()
        try result?.get()
    }
}
