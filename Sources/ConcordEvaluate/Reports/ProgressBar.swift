/// Shows progress: a bar in place on a terminal, plain lines now and then elsewhere.
public final class ProgressBar {
    /// How often to write.
    public struct Pace: Sendable {
        /// Seconds between two drawings of the bar.
        public var redraw = 0.1
        /// Seconds between two plain lines.
        public var plainLine = 10.0

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
