import Foundation

/// A progress bar for work that is counted and nothing more: made, shown, finished.
public final class ProgressDisplay {
    private let label: String
    private let bar: ProgressBar
    private let start = ContinuousClock.now

    public init(label: String, bar: ProgressBar = ProgressBar()) {
        self.label = label
        self.bar = bar
    }

    /// Shows that `done` of `total` are done.
    public func show(done: Int, of total: Int) {
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        bar.update(ProgressLine(unit: label, done: done, total: total, elapsed: elapsed))
    }

    /// Leaves the bar as it stands.
    public func finish() { bar.finish() }
}
