import ConcordCore

/// What the manifests of model folders and of artifact folders have in common.
extension JSONFields {
    /// The value of `format_version`. Throws `.invalidConfiguration` for one later than `current`.
    package func formatVersion(upTo current: Int) throws(ConcordError) -> Int {
        let version = try integer("format_version", in: 1...Int.max)
        guard version <= current else {
            throw failure(
                "format_version", "is \(version), later than the \(current) that this version reads; update it")
        }
        return version
    }

    /// The name of a file of the manifest's folder. Throws `.invalidConfiguration` for one that could lead elsewhere.
    package func fileName(_ name: String) throws(ConcordError) -> String {
        let file = try string(name)
        guard Self.isPlain(file) else { throw failure(name, "is `\(file)`, which " + Self.notPlain) }
        return file
    }

    /// A SHA-256 in lower-case hexadecimal.
    package func sha256(_ name: String) throws(ConcordError) -> String {
        let hash = try string(name)
        guard FileHash(announced: hash)?.algorithm == .sha256 else {
            throw failure(name, "is not a SHA-256 in lower-case hexadecimal")
        }
        return hash
    }

    /// The member `sha256`: hashes of files of the folder, by name.
    package func fileHashes() throws(ConcordError) -> [String: String] {
        let fields = try object("sha256")
        return try fields.hashes { name throws(ConcordError) in try fields.sha256(name) }
    }

    /// The member `xxh128`, which older folders lack: checksums of files of the folder, by name.
    package func fileChecksums() throws(ConcordError) -> [String: String] {
        guard self["xxh128"] != nil else { return [:] }
        let fields = try object("xxh128")
        return try fields.hashes { name throws(ConcordError) in
            let hash = try fields.string(name)
            let isHexadecimal = hash.utf8.allSatisfy("0123456789abcdef".utf8.contains)
            guard hash.utf8.count == 32, isHexadecimal else {
                throw fields.failure(name, "is not an XXH128 in lower-case hexadecimal")
            }
            return hash
        }
    }

    private func hashes(_ read: (String) throws(ConcordError) -> String) throws(ConcordError) -> [String: String] {
        var hashes = [String: String]()
        for name in names {
            guard Self.isPlain(name) else { throw failure(name, Self.notPlain) }
            hashes[name] = try read(name)
        }
        return hashes
    }

    /// Whether a name cannot lead out of its folder, nor to the folder itself.
    private static func isPlain(_ name: String) -> Bool {
        !name.isEmpty && name != "." && name != ".." && !name.utf8.contains { $0 == 0x2F || $0 == 0x5C || $0 == 0 }
    }

    private static let notPlain = "is not the plain name of a file of the folder; make the folder again"
}
