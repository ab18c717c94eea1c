/// A metric with all its series, as Prometheus' text format has it.
struct MetricFamily: Sendable {
    enum Kind: String, Sendable { case counter, gauge, histogram }

    struct Histogram: Sendable {
        /// How many values were at most each bound, and above all of them.
        var counts: [Int]
        var sum = 0.0
    }

    enum Value: Sendable {
        case number(Double)
        case histogram(Histogram)
    }

    let name: String
    let help: String
    let kind: Kind
    let labels: [String]
    /// Upper bounds of a histogram's buckets, rising.
    let bounds: [Double]
    /// By the values of the labels.
    private var series: [[String]: Value] = [:]
    /// Labels have few values; should a mistake make them many, memory stays bounded all the same.
    private static let mostSeries = 1000

    init(_ name: String, _ kind: Kind, _ help: String, labels: [String] = [], bounds: [Double] = []) {
        self.name = name
        self.help = help
        self.kind = kind
        self.labels = labels
        self.bounds = bounds
        if labels.isEmpty && kind != .histogram { series[[]] = .number(0) }
    }

    private func key(_ values: [String]) -> [String] {
        series[values] != nil || series.count < Self.mostSeries ? values : labels.map { _ in "other" }
    }

    mutating func add(_ amount: Double, _ values: [String]) {
        let key = key(values)
        guard case .number(let old)? = series[key] else {
            series[key] = .number(amount)
            return
        }
        series[key] = .number(old + amount)
    }

    mutating func set(_ amount: Double, _ values: [String]) { series[key(values)] = .number(amount) }

    mutating func observe(_ amount: Double, _ values: [String]) {
        let key = key(values)
        var histogram = Histogram(counts: Array(repeating: 0, count: bounds.count + 1))
        if case .histogram(let old)? = series[key] { histogram = old }
        histogram.counts[bounds.firstIndex { amount <= $0 } ?? bounds.count] += 1
        histogram.sum += amount
        series[key] = .histogram(histogram)
    }

    mutating func remove(where label: String, is value: String) {
        guard let index = labels.firstIndex(of: label) else { return }
        series = series.filter { $0.key[index] != value }
    }

    func write(to text: inout String) {
        text += "# HELP \(name) \(Self.escape(help, quotes: false))\n# TYPE \(name) \(kind.rawValue)\n"
        for (values, value) in series.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            let pairs = zip(labels, values).map { "\($0)=\"\(Self.escape($1, quotes: true))\"" }
            switch value {
            case .number(let number):
                text += name + Self.braces(pairs) + " \(Self.number(number))\n"
            case .histogram(let histogram):
                var count = 0
                for (index, inBucket) in histogram.counts.enumerated() {
                    count += inBucket
                    let bound = index < bounds.count ? Self.number(bounds[index]) : "+Inf"
                    text += "\(name)_bucket" + Self.braces(pairs + ["le=\"\(bound)\""]) + " \(count)\n"
                }
                text += "\(name)_sum" + Self.braces(pairs) + " \(Self.number(histogram.sum))\n"
                text += "\(name)_count" + Self.braces(pairs) + " \(count)\n"
            }
        }
    }

    private static func braces(_ pairs: [String]) -> String {
        pairs.isEmpty ? "" : "{" + pairs.joined(separator: ",") + "}"
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        return value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
    }

    private static func escape(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
