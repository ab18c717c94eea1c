/// What a server that is ready serves, and where.
public struct ReadyReport: Sendable, Hashable {
    public struct Model: Sendable, Hashable {
        public var name: String
        /// What it does, and its width and precision.
        public var abilities: [String]
    }

    public var host: String
    public var port: Int
    /// Nil without a port for figures.
    public var metricsPort: Int?
    public var models: [Model]

    /// Such as `http://127.0.0.1:8080`.
    public var url: String { "http://" + ListeningAddress(host: host, port: port).text }
}
