import ConcordCheckpoint
import ConcordCore
import Synchronization

/// The keys that callers show, read from a file that holds only their hashes.
public final class APIKeys: Sendable {
    private struct State {
        var entries: [KeyFile.Entry]
        /// Of the bytes that were last looked at, good or not.
        var fingerprint: String
    }

    private let path: String
    private let state: Mutex<State>
    private static let fileLimit = 16 << 20

    /// Reads `keys.json`: `[{"id", "hash": "sha256:…", "scopes": […], "limits": {"items_per_second", "burst",
    /// "pixels_per_second"}}]`. Throws `.fileSystem`, `.malformedText`, `.invalidConfiguration`.
    public init(path: String) throws(ConcordError) {
        let bytes = try Files.read(path, limit: Self.fileLimit)
        self.path = path
        state = Mutex(
            State(
                entries: try KeyFile(parsing: bytes, path: path).entries,
                fingerprint: FileHash(.sha256, of: bytes).hexadecimal))
    }

    /// The entry of a key that a caller shows, compared in constant time; nil for none.
    public func entry(for key: String) -> APIKey? {
        // All entries are looked at: the time does not tell which one it was.
        let hash = Array(FileHash(.sha256, of: Array(key.utf8)).hexadecimal.utf8)
        let entries = state.withLock { $0.entries }
        var found: APIKey?
        for entry in entries where ConstantTime.equal(entry.hash, hash) { found = entry.key }
        return found
    }

    /// Reads the file again if it changed; a broken one changes nothing, and its error is given back, once.
    @discardableResult
    public func reloadIfChanged() -> ConcordError? {
        do throws(ConcordError) {
            let bytes = try Files.read(path, limit: Self.fileLimit)
            let fingerprint = FileHash(.sha256, of: bytes).hexadecimal
            guard note(fingerprint) else { return nil }
            let entries = try KeyFile(parsing: bytes, path: path).entries
            state.withLock { $0.entries = entries }
            return nil
        } catch {
            // A file that cannot be read is told once, too.
            return error.code == .fileSystem ? (note("unreadable") ? error : nil) : error
        }
    }

    /// False when that was the last thing seen already.
    private func note(_ fingerprint: String) -> Bool {
        state.withLock { state in
            defer { state.fingerprint = fingerprint }
            return state.fingerprint != fingerprint
        }
    }

    /// A new random key, and its entry for `keys.json` as text.
    public static func makeKey(
        id: String, scopes: Set<APIKey.Scope>, limits: CallerLimits = CallerLimits()
    ) -> (key: String, entry: String) {
        var random = SystemRandomNumberGenerator()
        // 43 characters of 64 are 258 bits.
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        let characters = (0..<43).map { _ in alphabet[Int.random(in: 0..<64, using: &random)] }
        let key = "concord-" + String(decoding: characters, as: UTF8.self)
        var members: [JSONValue.Member] = [
            .init("id", .string(id)),
            .init("hash", .string("sha256:" + FileHash(.sha256, of: Array(key.utf8)).hexadecimal)),
            .init("scopes", .array(scopes.map(\.rawValue).sorted().map(JSONValue.string))),
        ]
        var limitMembers = [JSONValue.Member]()
        if let rate = limits.itemsPerSecond {
            limitMembers.append(.init("items_per_second", .number(rate)))
            limitMembers.append(.init("burst", .number(limits.burst)))
        }
        if let rate = limits.pixelsPerSecond { limitMembers.append(.init("pixels_per_second", .number(rate))) }
        if !limitMembers.isEmpty { members.append(.init("limits", .object(limitMembers))) }
        return (key, JSONValue.object(members).text(pretty: true))
    }
}
