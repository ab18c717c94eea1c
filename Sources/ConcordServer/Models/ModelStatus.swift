import ConcordRuntime

/// What is known of a model that the server has been told of.
public struct ModelStatus: Sendable, Hashable {
    public enum State: String, Sendable, Hashable {
        case loading, ready, failed
        /// Gave its memory to another model; the next request for it loads it again.
        case unloaded
        /// Taken out of memory by an administrator; it is as if there were no such model until it is loaded again.
        case withdrawn
    }

    public var name: String
    public var state: State
    /// Why it is not ready, or not well; safe for clients.
    public var reason: String?
    /// Why its answers may be wrong on this machine though it is well; safe for clients. Nil where nothing is known.
    public var warning: String?
    /// The bytes of its graphs.
    public var residentBytes: Int
    /// That of the model in use, or of the one that is to be loaded.
    public var manifest: ArtifactManifest
    /// Items that wait, of pictures, texts and captions together.
    public var queuedItems: Int
    /// Items that a run took, on average; nil before the first.
    public var meanBatch: Double?
}
