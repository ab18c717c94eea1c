import Foundation

/// A progress bar for work that is counted and nothing more: made, shown, finished.
///
/// `@unchecked Sendable`: the bar, the only thing here that changes, is touched only while `lock` is held.
public final class ProgressDisplay: @unchecked Sendable {
    private let label: String
    private let bar: ProgressBar
    private let lock = NSLock()
    private let start = ContinuousClock.now

    public init(label: String, bar: ProgressBar = ProgressBar()) {
        self.label = label
        self.bar = bar
    }

    /// Shows that `done` of `total` are done.
    public func show(done: Int, of total: Int) {
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        lock.withLock { bar.update(ProgressLine(unit: label, done: done, total: total, elapsed: elapsed)) }
    }

    /// Writes a line of text above the bar.
    public func print(_ text: String) { lock.withLock { bar.print(text) } }

    /// Leaves the bar as it stands.
    public func finish() { lock.withLock { bar.finish() } }
}
