import ConcordCore
import ConcordRuntime

/// The models of a server, by name.
public final class ModelRegistry: Sendable {
    public init(options: ServingOptions = ServingOptions(), metrics: ServerMetrics) {}

    /// Loads a model, warms it up and checks its canary; the first one is the default.
    ///
    /// - Parameters:
    ///   - name: what requests call it; nil for the name in its manifest.
    ///   - folder: an artifact folder.
    ///   - isPinned: whether it keeps its memory when another model needs some.
    /// - Throws: as ``ExportedModel/init(folder:options:)``, for whoever starts the server.
    @discardableResult
    public func load(
        name: String? = nil, folder: String, isPinned: Bool = true
    ) async throws(ConcordError) -> ServedModel {
        fatalError("being written")
    }

    /// The model of that name; the default one for nil. Throws `.unknownModel`, `.loading` or `.failed`.
    public func model(named name: String?) throws(ServingError) -> ServedModel { fatalError("being written") }

    /// All models, in the order in which they were loaded.
    public var statuses: [ModelStatus] { fatalError("being written") }

    public var readiness: Readiness { fatalError("being written") }

    /// Loads the model beside the one in use, warms it up, checks its canary, and only then puts it in the other's
    /// place, which is closed when its last request ends. Throws, and changes nothing, when any of that fails.
    ///
    /// - Parameter folder: nil for the same folder.
    public func reload(name: String, folder: String? = nil) async throws(ConcordError) {
        fatalError("being written")
    }

    /// Refuses new work, finishes what was accepted, and ends all threads.
    public func close() async { fatalError("being written") }
}
