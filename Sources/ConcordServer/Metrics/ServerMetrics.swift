import Synchronization

/// The figures of a server, in Prometheus' text format.
///
/// Labels have few values each: models, templates of routes, outcomes; never keys or addresses.
public final class ServerMetrics: Sendable {
    public enum Stage: String, Sendable, Hashable, CaseIterable {
        case fetch, decode, preprocess, queue, compute, encode
    }

    public enum Modality: String, Sendable, Hashable, CaseIterable { case image, text, caption }

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

    public init() {}

    /// A request is over. `route` is a template such as `/v2/models/{model}/infer`, `outcome` one of few words, as a rule
    /// the status's class.
    public func request(model: String?, route: String, outcome: String, seconds: Double) {
        families.withLock {
            $0.requests.add(1, [model ?? "", route, outcome])
            $0.requestSeconds.observe(seconds, [route])
        }
    }

    public func items(model: String, modality: Modality, outcome: String, count: Int = 1) {
        families.withLock { $0.items.add(Double(count), [model, modality.rawValue, outcome]) }
    }

    public func stage(_ stage: Stage, model: String, seconds: Double) {
        families.withLock { $0.stages.observe(seconds, [model, stage.rawValue]) }
    }

    public func batch(model: String, modality: Modality, items: Int) {
        families.withLock { $0.batches.observe(Double(items), [model, modality.rawValue]) }
    }

    public func refused(reason: String) { families.withLock { $0.refused.add(1, [reason]) } }

    public func cache(hit: Bool) { families.withLock { $0.cache.add(1, [hit ? "hit" : "miss"]) } }

    public func decodedPixels(_ count: Int) { families.withLock { $0.pixels.add(Double(count), []) } }

    public func queued(model: String, modality: Modality, items: Int) {
        families.withLock { $0.queued.set(Double(items), [model, modality.rawValue]) }
    }

    /// The bytes of a model's graphs; nil when it is gone.
    public func resident(model: String, bytes: Int?) {
        families.withLock {
            if let bytes {
                $0.resident.set(Double(bytes), [model])
            } else {
                $0.resident.remove(where: "model", is: model)
            }
        }
    }

    /// All figures: `text/plain; version=0.0.4; charset=utf-8`.
    public func text() -> String {
        // Written from a copy, so that nobody waits for it.
        var text = ""
        let all = families.withLock { $0.all }
        for family in all { family.write(to: &text) }
        return text
    }
}
