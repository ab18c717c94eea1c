import COnnxRuntime

/// The texts that a model file carries about itself.
public struct OnnxModelMetadata: Hashable, Sendable {
    public let producer: String
    public let graph: String
    public let description: String
    public let version: Int
    /// Whatever else its maker wrote, by key.
    public let entries: [String: String]

    init(_ metadata: cort_metadata) {
        func text(_ pointer: UnsafePointer<CChar>?) -> String { pointer.map { String(cString: $0) } ?? "" }
        producer = text(metadata.producer)
        graph = text(metadata.graph)
        description = text(metadata.description)
        version = Int(metadata.version)
        entries = Dictionary(
            (0..<metadata.entry_count).map { (text(metadata.keys[$0]), text(metadata.values[$0])) },
            uniquingKeysWith: { first, _ in first })
    }
}
