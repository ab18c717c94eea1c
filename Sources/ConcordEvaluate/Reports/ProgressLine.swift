import ConcordCore

/// One state of a progress bar, and how it reads.
public struct ProgressLine: Sendable {
    /// What is counted: `step`, `image`.
    public var unit: String
    /// How many are done, of how many.
    public var done: Int
    public var total: Int
    /// How many were done when this run began; more than zero when it goes on with an earlier one.
    public var doneBefore: Int
    /// Seconds since this run began.
    public var elapsed: Double
    /// What else to show, such as `loss 2.31`, the most important first.
    public var details: [String]
    /// Whether bytes are counted, and shown as `12.0/605.2 MB`.
    public var isBytes: Bool

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
    public var remaining: Double? {
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
