import ConcordCore

/// The keys that callers show, read from a file that holds only their hashes.
public final class APIKeys: Sendable {
    /// Reads `keys.json`: `[{"id", "hash": "sha256:…", "scopes": […], "limits": {"items_per_second", "burst",
    /// "pixels_per_second"}}]`. Throws `.fileSystem`, `.malformedText`, `.invalidConfiguration`.
    public init(path: String) throws(ConcordError) { fatalError("being written") }

    /// The entry of a key that a caller shows, compared in constant time; nil for none.
    public func entry(for key: String) -> APIKey? { fatalError("being written") }

    /// Reads the file again if it changed; a broken one changes nothing, and its error is given back.
    @discardableResult
    public func reloadIfChanged() -> ConcordError? { fatalError("being written") }

    /// Looks for changes of the file until the task is cancelled, on a thread of its own.
    public func watch(
        every interval: Duration = .seconds(2), onError: @escaping @Sendable (ConcordError) -> Void
    ) async { fatalError("being written") }

    /// A new random key, and its entry for `keys.json` as text.
    public static func makeKey(
        id: String, scopes: Set<APIKey.Scope>, limits: CallerLimits = CallerLimits()
    ) -> (key: String, entry: String) { fatalError("being written") }
}
