import ConcordCore

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
        try refuseUnknown(value, ["id", "hash", "scopes", "limits"], place: place)
        guard let id = value["id"]?.string, !id.isEmpty, id.utf8.count <= 64,
            id.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            throw ConcordError(.invalidConfiguration, "`id` of \(place) must be 1 to 64 visible ASCII characters")
        }
        let digits = Array("0123456789abcdef".utf8)
        guard let hash = value["hash"]?.string, hash.hasPrefix("sha256:"), case let hex = Array(hash.utf8.dropFirst(7)),
            hex.count == 64, hex.allSatisfy(digits.contains)
        else {
            throw ConcordError(
                .invalidConfiguration,
                "`hash` of \(place) must be `sha256:` and 64 lower-case hexadecimal digits; `--make-key` prints it")
        }
        guard let names = value["scopes"]?.elements else {
            throw ConcordError(.invalidConfiguration, "`scopes` of \(place) must be a list")
        }
        var scopes = Set<APIKey.Scope>()
        for name in names {
            guard let scope = name.string.flatMap(APIKey.Scope.init(rawValue:)) else {
                let known = APIKey.Scope.allCases.map(\.rawValue).joined(separator: ", ")
                throw ConcordError(
                    .invalidConfiguration, "`scopes` of \(place) has \(name.text()); known are: \(known)")
            }
            scopes.insert(scope)
        }
        let limits = try value["limits"].map { value throws(ConcordError) in
            try Self.limits(value, place: "`limits` of \(place)")
        }
        return Entry(key: APIKey(id: id, scopes: scopes, limits: limits ?? CallerLimits()), hash: hex)
    }

    private static func limits(_ value: JSONValue, place: String) throws(ConcordError) -> CallerLimits {
        try refuseUnknown(value, ["items_per_second", "burst", "pixels_per_second"], place: place)
        func number(_ name: String) throws(ConcordError) -> Double? {
            guard let member = value[name], !member.isNull else { return nil }
            guard let number = member.double, number > 0, number <= 1e15 else {
                throw ConcordError(
                    .invalidConfiguration, "`\(name)` in \(place) must be a number above 0, not \(member.text())")
            }
            return number
        }
        if let burst = try number("burst"), burst < 1 {
            throw ConcordError(.invalidConfiguration, "`burst` in \(place) is \(burst); at least 1 item must fit")
        }
        return CallerLimits(
            itemsPerSecond: try number("items_per_second"), burst: try number("burst"),
            pixelsPerSecond: try number("pixels_per_second"))
    }

    private static func refuseUnknown(
        _ value: JSONValue, _ known: [String], place: String
    ) throws(ConcordError) {
        guard let members = value.members else {
            throw ConcordError(.invalidConfiguration, "\(place) must be an object")
        }
        var seen = Set<String>()
        for member in members {
            guard known.contains(member.name) else {
                let near = NearestName.suggestion(for: member.name, among: known).map { "; did you mean `\($0)`?" }
                throw ConcordError(
                    .invalidConfiguration,
                    "\(place) has the unknown member `\(member.name)`"
                        + (near ?? "; known are: " + known.joined(separator: ", ")))
            }
            guard seen.insert(member.name).inserted else {
                throw ConcordError(.invalidConfiguration, "`\(member.name)` appears twice in \(place); remove one")
            }
        }
    }
}
