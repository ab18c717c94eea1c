import ConcordCheckpoint
import ConcordCore
import Synchronization

/// The keys that callers show, read from a file that holds only their hashes.
package final class APIKeys: Sendable {
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
    package init(path: String) throws(ConcordError) {
        let bytes = try Files.read(path, limit: Self.fileLimit)
        self.path = path
        state = Mutex(
            State(
                entries: try KeyFile(parsing: bytes, path: path).entries,
                fingerprint: FileHash(.sha256, of: bytes).hexadecimal))
    }

    /// The entry of a key that a caller shows, compared in constant time; `nil` for none.
    package func entry(for key: String) -> APIKey? {
        // All entries are looked at: the time does not tell which one it was.
        let hash = Array(FileHash(.sha256, of: Array(key.utf8)).hexadecimal.utf8)
        let entries = state.withLock { $0.entries }
        var found: APIKey?
        for entry in entries where ConstantTime.equal(entry.hash, hash) { found = entry.key }
        return found
    }

    /// Reads the file again if it changed; a broken one changes nothing, and its error is given back, once.
    @discardableResult
    package func reloadIfChanged() -> ConcordError? {
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
    package static func makeKey(
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

/// An entry of `keys.json`: who may do what, and how much.
package struct APIKey: Sendable, Hashable {
    /// The scope of a key.
    package enum Scope: String, Sendable, Hashable, CaseIterable {
        case embed, caption, admin, metrics
    }

    /// The name of the caller in limits, logs and metrics.
    package var id: String
    package var scopes: Set<Scope>
    package var limits: CallerLimits

    package init(id: String, scopes: Set<Scope>, limits: CallerLimits = CallerLimits()) {
        self.id = id
        self.scopes = scopes
        self.limits = limits
    }
}

/// The quota of one caller.
package struct CallerLimits: Sendable, Hashable {
    /// Items (images and texts) a second, on average; `nil` for no limit.
    package var itemsPerSecond: Double?
    /// Items at once, after a pause.
    package var burst: Double
    /// Pixels a second, on average; `nil` for no limit. Up to ten seconds' worth at once.
    package var pixelsPerSecond: Double?

    package init(itemsPerSecond: Double? = nil, burst: Double? = nil, pixelsPerSecond: Double? = nil) {
        self.itemsPerSecond = itemsPerSecond
        self.burst = burst ?? max(itemsPerSecond ?? 1, 1)
        self.pixelsPerSecond = pixelsPerSecond
    }
}

/// `keys.json`, read: entries with the hashes of their keys.
struct KeyFile: Sendable {
    struct Entry: Sendable {
        let key: APIKey
        /// SHA-256 of the key, in hexadecimal.
        let hash: [UInt8]
    }

    let entries: [Entry]

    /// Throws `.malformedText` or `.invalidConfiguration`, which names the file, the entry and the member.
    init(parsing bytes: [UInt8], path: String) throws(ConcordError) {
        let document = try JSONValue(parsing: bytes, source: path)
        guard let elements = document.elements else {
            throw ConcordError(.invalidConfiguration, "\(path) must be a list of keys")
        }
        var entries = [Entry]()
        for (index, element) in elements.enumerated() {
            let entry = try Self.entry(element, place: "entry \(index) of \(path)")
            guard !entries.contains(where: { $0.key.id == entry.key.id }) else {
                throw ConcordError(
                    .invalidConfiguration, "entry \(index) of \(path) has the id `\(entry.key.id)` again; ids differ")
            }
            entries.append(entry)
        }
        self.entries = entries
    }

    private static func entry(_ value: JSONValue, place: String) throws(ConcordError) -> Entry {
        let fields = try JSONFields(value, path: place)
        try fields.refuseUnknown(["id", "hash", "scopes", "limits"])
        guard let id = fields["id"]?.string, !id.isEmpty, id.utf8.count <= 64,
            id.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw fields.failure("id", "must be 1 to 64 visible ASCII characters") }
        let digits = Array("0123456789abcdef".utf8)
        guard let hash = fields["hash"]?.string, hash.hasPrefix("sha256:"),
            case let hex = Array(hash.utf8.dropFirst(7)), hex.count == 64, hex.allSatisfy(digits.contains)
        else {
            // Without the value, which may be the key itself.
            throw fields.failure(
                "hash", "must be `sha256:` and 64 lower-case hexadecimal digits; `--make-key` prints it")
        }
        guard let names = fields["scopes"]?.elements else { throw fields.failure("scopes", "must be a list") }
        var scopes = Set<APIKey.Scope>()
        for name in names {
            guard let scope = name.string.flatMap(APIKey.Scope.init(rawValue:)) else {
                let known = APIKey.Scope.allCases.map(\.rawValue).joined(separator: ", ")
                throw fields.failure("scopes", "has \(name.text()); known are: \(known)")
            }
            scopes.insert(scope)
        }
        let limits = try limits(fields.object("limits"))
        return Entry(key: APIKey(id: id, scopes: scopes, limits: limits), hash: hex)
    }

    private static func limits(_ fields: JSONFields) throws(ConcordError) -> CallerLimits {
        try fields.refuseUnknown(["items_per_second", "burst", "pixels_per_second"])
        func number(_ name: String) throws(ConcordError) -> Double? {
            guard let number = try fields.optionalNumber(name) else { return nil }
            guard number > 0, number <= 1e15 else {
                throw fields.failure(name, "must be a number above 0, not \(number)")
            }
            return number
        }
        let burst = try number("burst")
        if let burst, burst < 1 { throw fields.failure("burst", "is \(burst); at least 1 item must fit") }
        return CallerLimits(
            itemsPerSecond: try number("items_per_second"), burst: burst,
            pixelsPerSecond: try number("pixels_per_second"))
    }
}

/// Comparisons whose time does not tell where values differ.
package enum ConstantTime {
    /// True if two byte strings are equal. Looks at every byte of the longer one.
    package static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        var difference: UInt8 = left.count == right.count ? 0 : 1
        for index in 0..<max(left.count, right.count) {
            difference |= (index < left.count ? left[index] : 0) ^ (index < right.count ? right[index] : 0)
        }
        return difference == 0
    }
}
