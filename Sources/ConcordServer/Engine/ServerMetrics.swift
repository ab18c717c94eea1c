import Synchronization

/// The figures of a server, in Prometheus' text format.
///
/// Labels have few values each: models, templates of routes, outcomes; never keys or addresses.
package final class ServerMetrics: Sendable {
    package enum Stage: String, Sendable, Hashable, CaseIterable {
        case fetch, decode, preprocess, queue, compute, encode
    }

    package enum Modality: String, Sendable, Hashable, CaseIterable { case image, text, caption }

    private struct Families {
        // The buckets of OpenTelemetry's HTTP durations.
        static let seconds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

        var requests = MetricFamily(
            "concord_requests_total", .counter, "Requests that were answered.", labels: ["model", "route", "outcome"])
        var requestSeconds = MetricFamily(
            "concord_request_seconds", .histogram, "Time from a request to the end of its answer.", labels: ["route"],
            bounds: Self.seconds)
        var items = MetricFamily(
            "concord_items_total", .counter, "Pictures, texts and captions.", labels: ["model", "modality", "outcome"])
        var stages = MetricFamily(
            "concord_stage_seconds", .histogram, "Time in a stage of the work.", labels: ["model", "stage"],
            bounds: [0.0005, 0.001, 0.0025] + Self.seconds)
        var batches = MetricFamily(
            "concord_batch_items", .histogram, "Items that a run worked on together.", labels: ["model", "modality"],
            bounds: [1, 2, 4, 8, 16, 32, 64])
        var queued = MetricFamily(
            "concord_queue_items", .gauge, "Items that wait for a run.", labels: ["model", "modality"])
        var refused = MetricFamily(
            "concord_refused_total", .counter, "Requests that were refused.", labels: ["reason"])
        var cache = MetricFamily(
            "concord_cache_total", .counter, "Vectors that were asked for, by whether they were there.",
            labels: ["result"])
        var resident = MetricFamily(
            "concord_model_resident_bytes", .gauge, "Bytes of a model's graphs.", labels: ["model"])
        var pixels = MetricFamily("concord_decoded_pixels_total", .counter, "Pixels that were decoded.")

        var all: [MetricFamily] {
            [requests, requestSeconds, items, stages, batches, queued, refused, cache, resident, pixels]
        }
    }

    private let families = Mutex(Families())

    package init() {}

    /// A request is over. `route` is a template such as `/v2/models/{model}/infer`, `outcome` one of few words, as a rule
    /// the status's class.
    package func request(model: String?, route: String, outcome: String, seconds: Double) {
        families.withLock {
            $0.requests.add(1, [model ?? "", route, outcome])
            $0.requestSeconds.observe(seconds, [route])
        }
    }

    package func items(model: String, modality: Modality, outcome: String, count: Int = 1) {
        families.withLock { $0.items.add(Double(count), [model, modality.rawValue, outcome]) }
    }

    package func stage(_ stage: Stage, model: String, seconds: Double) {
        families.withLock { $0.stages.observe(seconds, [model, stage.rawValue]) }
    }

    package func batch(model: String, modality: Modality, items: Int) {
        families.withLock { $0.batches.observe(Double(items), [model, modality.rawValue]) }
    }

    package func refused(reason: String) { families.withLock { $0.refused.add(1, [reason]) } }

    package func cache(hit: Bool) { families.withLock { $0.cache.add(1, [hit ? "hit" : "miss"]) } }

    package func decodedPixels(_ count: Int) { families.withLock { $0.pixels.add(Double(count), []) } }

    package func queued(model: String, modality: Modality, items: Int) {
        families.withLock { $0.queued.set(Double(items), [model, modality.rawValue]) }
    }

    /// The bytes of a model's graphs; `nil` when it is gone.
    package func resident(model: String, bytes: Int?) {
        families.withLock {
            if let bytes {
                $0.resident.set(Double(bytes), [model])
            } else {
                $0.resident.remove(where: "model", is: model)
            }
        }
    }

    /// All figures: `text/plain; version=0.0.4; charset=utf-8`.
    package func text() -> String {
        // Written from a copy, so that nobody waits for it.
        var text = ""
        let all = families.withLock { $0.all }
        for family in all { family.write(to: &text) }
        return text
    }
}

/// A metric with all its series, as Prometheus' text format has it.
struct MetricFamily: Sendable {
    enum Kind: String, Sendable { case counter, gauge, histogram }

    struct Histogram: Sendable {
        /// The number of values up to each bound, and above all of them.
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
