/// How fast a queue gets shorter, measured: the seconds that its runs take, in all and for an item.
struct DrainRate: Sendable {
    /// Nil before the first run.
    private(set) var secondsPerItem: Double?
    /// Nil before the first run.
    private(set) var secondsPerRun: Double?
    private let newWeight = 0.2

    mutating func record(items: Int, seconds: Double) {
        guard items > 0 else { return }
        func moved(_ mean: Double?, to new: Double) -> Double { mean.map { $0 + newWeight * (new - $0) } ?? new }
        secondsPerItem = moved(secondsPerItem, to: seconds / Double(items))
        secondsPerRun = moved(secondsPerRun, to: seconds)
    }

    /// How long `items` take when `workers` runs go on side by side.
    func wait(items: Int, workers: Int) -> Duration {
        .seconds(Double(items) * (secondsPerItem ?? 0) / Double(workers))
    }

    /// How many items one run does in `duration`; nil before the first run.
    func items(in duration: Duration) -> Int? {
        secondsPerItem.map { Int(min(duration.inSeconds / max($0, 1e-9), 1e9)) }
    }

    /// What a client is told to wait: the time that `items` take, within what clients follow (1 to 120 seconds).
    func retryAfter(items: Int, workers: Int) -> Duration {
        min(max(wait(items: items, workers: workers), .seconds(1)), .seconds(120))
    }
}

extension Duration {
    package var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
