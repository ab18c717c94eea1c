import ConcordCore

/// A model on a hub: `owner/name`, at a branch, tag or commit.
///
/// Both become parts of paths and addresses, so only what Hugging Face allows in them is accepted
/// (huggingface_hub's `validate_repo_id`, and git's rules for names).
public struct HubRepository: Sendable, Hashable, CustomStringConvertible {
    public let owner: String
    public let name: String
    public let revision: String

    public static let defaultRevision = "main"

    /// `owner/name`.
    public var identifier: String { "\(owner)/\(name)" }

    /// `owner/name`, or `owner/name@revision` for another revision than `main`.
    public var description: String {
        revision == Self.defaultRevision ? identifier : "\(identifier)@\(revision)"
    }

    /// The folder of the repository within a cache: `models--owner--name`.
    package var cacheName: String { "models--\(owner)--\(name)" }

    /// Checks both parts.
    ///
    /// - Parameter identifier: `owner/name`.
    /// - Throws: `.invalidConfiguration` for what cannot be the name of a repository or of a revision.
    public init(_ identifier: String, revision: String = defaultRevision) throws(ConcordError) {
        let parts = identifier.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else {
            throw ConcordError(
                .invalidConfiguration, "`\(identifier.printable)` is not the name of a model; it must be OWNER/NAME")
        }
        for part in parts where !Self.isName(part) {
            throw ConcordError(
                .invalidConfiguration,
                "`\(identifier.printable)` is not the name of a model: owner and name hold letters, digits, `-`, `_` and "
                    + "`.`, 96 at most, begin and end with none of `-` and `.`, and hold neither `--` nor `..`")
        }
        guard !parts[1].hasSuffix(".git") else {
            throw ConcordError(
                .invalidConfiguration, "`\(identifier)` is not the name of a model; leave out the `.git` at its end")
        }
        guard Self.isRevision(revision) else {
            throw ConcordError(
                .invalidConfiguration,
                "`\(revision.printable)` is not the name of a revision; give a branch, a tag or a commit, such as `main`"
            )
        }
        (owner, name, self.revision) = (parts[0], parts[1], revision)
    }

    /// Reads `owner/name` or `owner/name@revision`. Throws `.invalidConfiguration`.
    public init(parsing text: String) throws(ConcordError) {
        guard let at = text.firstIndex(of: "@") else {
            try self.init(text)
            return
        }
        try self.init(String(text[..<at]), revision: String(text[text.index(after: at)...]))
    }

    /// Whether the text is a whole commit id: forty lower-case hexadecimal digits.
    static func isCommit(_ text: String) -> Bool { FileHash(announced: text)?.algorithm == .gitBlob }

    private static func isName(_ part: String) -> Bool {
        let edges = [part.utf8.first, part.utf8.last]
        return (1...96).contains(part.utf8.count)
            && part.utf8.allSatisfy { isLetterOrDigit($0) || "-_.".utf8.contains($0) }
            && !edges.contains(UInt8(ascii: "-")) && !edges.contains(UInt8(ascii: "."))
            && !part.contains("--") && !part.contains("..")
    }

    /// What `git check-ref-format` allows, in ASCII.
    private static func isRevision(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let forbidden = Array(#"~^:?*[\ "#.utf8)
        return text.utf8.count <= 200 && text.utf8.allSatisfy { (0x20..<0x7F).contains($0) && !forbidden.contains($0) }
            && parts.allSatisfy { !$0.isEmpty && !$0.hasPrefix(".") && !$0.hasSuffix(".lock") }
            && !text.contains("..") && !text.contains("@{") && !text.hasSuffix(".") && !text.hasPrefix("-")
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}

extension String {
    /// Without control characters, and short: for text from outside that stands in a message.
    var printable: String {
        var text = String.UnicodeScalarView(), count = 0
        for scalar in unicodeScalars {
            guard count < 200 else {
                text.append("…")
                break
            }
            let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
            text.append(isControl ? "\u{FFFD}" : scalar)
            count += 1
        }
        return String(text)
    }
}

/// The location of a model as a user gives it: a folder, or a name on a hub.
public enum ModelLocation {
    /// The model folder: a path that exists, or `owner/name` or `owner/name@revision` of the cache.
    ///
    /// - Parameter settings: the place of the cache; nil for the one that the environment names.
    /// - Throws: `.unavailable`, with the command that downloads the model, when it is neither.
    public static func folder(_ argument: String, settings: HubSettings? = nil) throws(ConcordError) -> String {
        if Files.exists(argument) { return argument }
        let repository: HubRepository
        do {
            repository = try HubRepository(parsing: argument)
        } catch {
            throw missingFolder(argument)
                ?? ConcordError(
                    .fileSystem,
                    "there is no folder \(argument.printable); name a model folder, or OWNER/NAME of a model hub")
        }
        let cacheFolder = if let settings { settings.cacheFolder } else { try HubSettings().cacheFolder }
        do throws(ConcordError) {
            return try HubCache(folder: cacheFolder).snapshot(of: repository).path
        } catch {
            if let missing = missingFolder(argument) {
                throw ConcordError(missing.code, "\(missing.message). As the name of a hub's model: \(error.message)")
            }
            throw ConcordError(error.code, "there is no folder \(argument), and \(error.message)")
        }
    }

    /// The error for an argument that is a path to a folder that is not there, told by the folder around it; nil where
    /// it may be a name on a hub.
    package static func missingFolder(_ argument: String) -> ConcordError? {
        let parent = Files.parent(of: argument)
        guard parent != ".", !Files.exists(argument), Files.isFolder(parent),
            let entries = try? FileManager.default.contentsOfDirectory(atPath: parent)
        else { return nil }
        let folders = entries.filter { Files.isFolder(parent + "/" + $0) && $0.utf8.first != UInt8(ascii: ".") }
            .sorted()
        let name = String(argument.split(separator: "/").last ?? "")
        let nearest = NearestName.suggestion(for: name, among: folders).map { "; did you mean \(parent)/\($0)?" }
        let shown = folders.prefix(10).joined(separator: ", ") + (folders.count > 10 ? ", …" : "")
        return ConcordError(
            .fileSystem,
            "there is no folder \(argument)"
                + (nearest ?? (folders.isEmpty ? "; \(parent) has no folder in it" : "; \(parent) has \(shown)")))
    }
}
