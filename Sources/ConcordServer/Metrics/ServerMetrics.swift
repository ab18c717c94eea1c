/// The figures of a server, in Prometheus' text format.
public final class ServerMetrics: Sendable {
    public enum Stage: String, Sendable, Hashable, CaseIterable {
        case fetch, decode, preprocess, queue, compute, encode
    }

    public enum Modality: String, Sendable, Hashable, CaseIterable { case image, text, caption }

    public init() {}

    /// A request is over. `route` is a template such as `/v2/models/{model}/infer`, `outcome` one of few words, as a rule
    /// the status's class.
    public func request(model: String?, route: String, outcome: String, seconds: Double) {
        fatalError("being written")
    }
    public func items(model: String, modality: Modality, outcome: String, count: Int = 1) {
        fatalError("being written")
    }
    public func stage(_ stage: Stage, model: String, seconds: Double) { fatalError("being written") }
    public func batch(model: String, modality: Modality, items: Int) { fatalError("being written") }
    public func refused(reason: String) { fatalError("being written") }
    public func cache(hit: Bool) { fatalError("being written") }
    public func decodedPixels(_ count: Int) { fatalError("being written") }
    public func queued(model: String, modality: Modality, items: Int) { fatalError("being written") }
    public func resident(model: String, bytes: Int) { fatalError("being written") }

    /// All figures: `text/plain; version=0.0.4; charset=utf-8`.
    public func text() -> String { fatalError("being written") }
}
