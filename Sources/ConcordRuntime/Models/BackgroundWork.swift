import ConcordCore

/// Work on a thread of its own, for callers that block until it is done.
///
/// `@unchecked Sendable`: `result` is touched only while `condition` is locked.
final class BackgroundWork<Value: Sendable>: @unchecked Sendable {
    private let condition = Condition()
    private var result: Result<Value, ConcordError>?

    init(_ work: @escaping @Sendable () throws(ConcordError) -> Value) {
        do throws(ConcordError) {
            try SystemThread.start(name: "concord-background") { [self] in
                end(Result { () throws(ConcordError) in try work() })
            }
        } catch {
            end(.failure(error))
        }
    }

    private func end(_ result: Result<Value, ConcordError>) {
        condition.locked {
            self.result = result
            condition.broadcast()
        }
    }

    /// Blocks until the work is done. Throws what it threw.
    func value() throws(ConcordError) -> Value {
        let known = condition.locked {
            while true {
                if let result { return result }
                condition.wait()
            }
        }
        return try known.get()
    }
}
