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
}
