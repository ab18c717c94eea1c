import ConcordCore
import Foundation

/// A progress bar for work that is counted and nothing more, in things or in bytes: made, shown, finished.
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

    /// Shows that `done` of `total` are done, `doneBefore` of them before this run, and how many a second.
    ///
    /// - Parameter details: what else to show, the most important first.
    public func show(done: Int, of total: Int, doneBefore: Int = 0, details: [String] = []) {
        let elapsed = (ContinuousClock.now - start) / .seconds(1), count = done - doneBefore
        let rate = elapsed >= 1 && count > 0 ? [NumberText.significant(Double(count) / elapsed) + "/s"] : []
        let line = ProgressLine(
            unit: label, done: done, total: total, doneBefore: doneBefore, elapsed: elapsed, details: details + rate)
        lock.withLock { bar.update(line) }
    }

    /// Shows that `done` of `total` bytes are done, `doneBefore` of them before this run, and how fast it goes.
    public func show(bytes done: Int, of total: Int, doneBefore: Int = 0) {
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        // What the first second brings comes from buffers as a rule, and tells nothing.
        let isSettled = elapsed >= 1 && done > doneBefore
        let rate = isSettled ? NumberText.bytes(Int(Double(done - doneBefore) / elapsed)) + "/s" : nil
        let line = ProgressLine(
            unit: label, done: done, total: total, doneBefore: isSettled ? doneBefore : done, elapsed: elapsed,
            details: rate.map { [$0] } ?? [], isBytes: true)
        lock.withLock { bar.update(line) }
    }

    /// Writes a line of text above the bar.
    public func print(_ text: String) { lock.withLock { bar.print(text) } }

    /// Leaves the bar as it stands.
    public func finish() { lock.withLock { bar.finish() } }
}
