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

/// Shows progress: a bar in place on a terminal, plain lines now and then elsewhere.
public final class ProgressBar {
    /// The time between updates.
    public struct Pace: Sendable {
        /// Seconds between two drawings of the bar.
        package var redraw = 0.1
        /// Seconds between two plain lines.
        package var plainLine = 10.0

        public init() {}
    }

    private let isInteractive: Bool
    private let usesColor: Bool
    private let width: () -> Int
    private let write: (String) -> Void
    private let pace: Pace
    private var lastWritten: Double?
    private var isLineOpen = false

    /// A bar on a terminal, standard error by default.
    public convenience init(terminal: Terminal = Terminal(), pace: Pace = Pace()) {
        self.init(
            isInteractive: terminal.isInteractive, usesColor: terminal.usesColor, pace: pace,
            width: { terminal.width }, write: terminal.write)
    }

    /// A bar that writes wherever `write` does.
    package init(
        isInteractive: Bool, usesColor: Bool, pace: Pace = Pace(), width: @escaping () -> Int,
        write: @escaping (String) -> Void
    ) {
        self.isInteractive = isInteractive
        self.usesColor = usesColor
        self.width = width
        self.write = write
        self.pace = pace
    }

    /// A bar that shows nothing.
    package static var silent: ProgressBar {
        ProgressBar(isInteractive: false, usesColor: false, width: { 80 }, write: { _ in })
    }

    /// Shows a new state, unless the last one was written too short a time ago. The first and the last always show.
    public func update(_ line: ProgressLine) {
        let pause = isInteractive ? pace.redraw : pace.plainLine
        let isDue = lastWritten.map { line.elapsed - $0 >= pause } ?? true
        guard isDue || line.done >= line.total else { return }
        lastWritten = line.elapsed
        guard isInteractive else { return write(line.plain() + "\n") }
        // One column stays free: a full line would wrap on some terminals.
        write("\r\u{1B}[2K" + line.bar(width: width() - 1, usesColor: usesColor))
        isLineOpen = true
        if line.done >= line.total { finish() }
    }

    /// Writes a line of text; a bar in the way is removed and comes back with the next update.
    public func print(_ text: String) {
        write((isLineOpen ? "\r\u{1B}[2K" : "") + text + "\n")
        isLineOpen = false
        if isInteractive { lastWritten = nil }
    }

    /// Leaves the bar as it stands and goes to the next line. Call it before anything else writes.
    public func finish() {
        if isLineOpen { write("\n") }
        isLineOpen = false
        // What comes next counts its seconds from its own start.
        lastWritten = nil
    }
}

/// One state of a progress bar, and how it reads.
public struct ProgressLine: Sendable {
    /// The unit that is counted: `step`, `image`.
    public var unit: String
    /// The number done, and the total.
    public var done: Int
    public var total: Int
    /// The number done when this run began; above zero when it resumes an earlier one.
    package var doneBefore: Int
    /// Seconds since this run began.
    package var elapsed: Double
    /// Further details, such as `loss 2.31`, the most important first.
    public var details: [String]
    /// Whether bytes are counted, and shown as `12.0/605.2 MB`.
    package var isBytes: Bool

    public init(
        unit: String = "step", done: Int, total: Int, doneBefore: Int = 0, elapsed: Double, details: [String] = [],
        isBytes: Bool = false
    ) {
        self.unit = unit
        self.done = done
        self.total = total
        self.doneBefore = doneBefore
        self.elapsed = elapsed
        self.details = details
        self.isBytes = isBytes
    }

    /// Seconds until the end at the speed so far; nil before the first step of this run.
    package var remaining: Double? {
        guard done > doneBefore, elapsed > 0 else { return nil }
        return elapsed / Double(done - doneBefore) * Double(max(0, total - done))
    }

    private var counter: String {
        isBytes ? "\(unit) \(NumberText.bytes(done, of: total))" : "\(unit) \(done)/\(total)"
    }

    private var time: String {
        done < total
            ? remaining.map { "ETA \(NumberText.duration(seconds: $0))" } ?? "ETA –"
            : "in \(NumberText.duration(seconds: elapsed))"
    }

    /// Without a bar: `step 120/260 loss 2.31 acc 41 % 512 samples/s ETA 1:23`.
    public func plain() -> String { ([counter] + details + [time]).joined(separator: " ") }

    /// With a bar, at most `width` columns: `step 120/260 [=====>   ] loss 2.31 acc 41 % 512 samples/s ETA 1:23`.
    ///
    /// The bar takes what room the text leaves, up to 40 columns; where there is too little, the last details go first.
    public func bar(width: Int, usesColor: Bool = false) -> String {
        let smallestBar = 10
        var shown = details
        func text() -> String { ([""] + shown + [time]).joined(separator: " ") }
        while !shown.isEmpty, counter.count + 3 + smallestBar + text().count > width { shown.removeLast() }
        let room = width - counter.count - 3 - text().count
        guard room >= smallestBar else { return String("\(counter)\(text())".prefix(max(0, width))) }
        let cells = min(40, room)
        let fraction = total > 0 ? min(1, max(0, Double(done) / Double(total))) : 1
        let filled = Int(fraction * Double(cells))
        let head = filled < cells && filled > 0 ? ">" : ""
        let body = String(repeating: "=", count: filled - head.count) + head
        let rest = String(repeating: " ", count: cells - body.count)
        let colored = usesColor ? "\u{1B}[32m\(body)\u{1B}[0m" : body
        return "\(counter) [\(colored)\(rest)]\(text())"
    }
}

/// The abilities of the terminal that a program writes to.
public struct Terminal: Sendable {
    /// Whether lines can be overwritten: a terminal, and not one that says it is dumb.
    package let isInteractive: Bool
    /// Whether colors are wanted: a terminal, and `NO_COLOR` (https://no-color.org) unset or empty.
    package let usesColor: Bool
    private let descriptor: Int32

    /// Looks at an open file descriptor; standard error by default, so that standard output stays for results.
    public init(
        descriptor: Int32 = STDERR_FILENO, environment: [String: String] = ProcessInfo.processInfo.environment
    ) {
        self.init(descriptor: descriptor, isTerminal: isatty(descriptor) == 1, environment: environment)
    }

    /// With the answer to `isatty` given, so that the rest can be tested.
    package init(descriptor: Int32, isTerminal: Bool, environment: [String: String]) {
        self.descriptor = descriptor
        isInteractive = isTerminal && environment["TERM"] != "dumb"
        usesColor = isInteractive && (environment["NO_COLOR"] ?? "").isEmpty
    }

    /// The columns of the terminal now; 80 where there is no telling.
    public var width: Int {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Writes text at once. Progress is not worth a failure, so errors are dropped.
    public func write(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { return }
            bytes = bytes.dropFirst(written)
        }
    }
}
