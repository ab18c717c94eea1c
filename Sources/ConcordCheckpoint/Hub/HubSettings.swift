import ConcordCore

/// The settings of a model hub and its cache, read from the variables that huggingface_hub reads.
public struct HubSettings: Sendable {
    /// The folder of `models--owner--name` folders.
    public var cacheFolder: String
    /// The address of the hub, without a slash at its end.
    public var endpoint: String
    /// Sent to the endpoint's own host and to no other.
    public var token: String?
    /// Whether only the cache is used.
    public var isOffline: Bool
    /// A file of certificates to trust instead of the system's.
    public var certificateFile: String?
    /// Timeouts.
    package var patience = Patience()

    /// The timeouts of connections and transfers.
    package struct Patience: Sendable, Hashable {
        /// Seconds until a connection times out.
        package var connecting = 20
        /// A transfer that stays below this number of bytes a second…
        package var bytesPerSecond = 1
        /// …for this number of seconds times out.
        package var seconds = 30

        package init() {}
    }

    package static let defaultEndpoint = "https://huggingface.co"

    /// Settings given one by one.
    package init(
        cacheFolder: String, endpoint: String = defaultEndpoint, token: String? = nil, isOffline: Bool = false,
        certificateFile: String? = nil
    ) {
        self.cacheFolder = cacheFolder
        self.endpoint = endpoint
        self.token = token
        self.isOffline = isOffline
        self.certificateFile = certificateFile
    }

    /// Reads `HF_HUB_CACHE`, `HF_HOME`, `XDG_CACHE_HOME`, `HF_ENDPOINT`, `HF_TOKEN`, `HF_TOKEN_PATH`,
    /// `HF_HUB_DISABLE_IMPLICIT_TOKEN` and `HF_HUB_OFFLINE` as huggingface_hub's `constants.py` does, and
    /// `CURL_CA_BUNDLE` or `SSL_CERT_FILE`. An empty variable counts as not set.
    ///
    /// - Throws: `.fileSystem` when there is a token file that cannot be read, `.invalidConfiguration` when the token
    ///   has characters that no token has.
    public init(environment: [String: String] = ProcessInfo.processInfo.environment) throws(ConcordError) {
        func value(_ names: String...) -> String? {
            names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        }
        func path(_ text: String) -> String { Self.expand(text, environment) }
        func isSet(_ names: String...) -> Bool {
            let text = names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
            return ["1", "ON", "YES", "TRUE"].contains((text ?? "").uppercased())
        }
        let caches = value("XDG_CACHE_HOME") ?? "~/.cache"
        let home = path(value("HF_HOME") ?? caches + "/huggingface")
        self.init(
            cacheFolder: path(value("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? home + "/hub"),
            endpoint: value("HF_ENDPOINT") ?? Self.defaultEndpoint,
            isOffline: isSet("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"),
            certificateFile: value("CURL_CA_BUNDLE", "SSL_CERT_FILE"))
        while endpoint.hasSuffix("/") { endpoint.removeLast() }
        if let given = value("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") {
            token = try Self.checked(given, source: "HF_TOKEN")
        }
        let file = path(value("HF_TOKEN_PATH") ?? home + "/token")
        if token == nil, !isSet("HF_HUB_DISABLE_IMPLICIT_TOKEN"), Files.exists(file) {
            token = try Self.checked(
                String(decoding: Files.read(file, limit: 1 << 16), as: UTF8.self), source: file)
        }
    }

    /// Without white space around it; nil when nothing is left. The message must not show the token.
    private static func checked(_ text: String, source: String) throws(ConcordError) -> String? {
        let token = text.trimmed
        guard token.utf8.allSatisfy({ (0x21..<0x7F).contains($0) }) else {
            throw ConcordError(
                .invalidConfiguration, "the token in \(source) has spaces or other characters that no token has")
        }
        return token.isEmpty ? nil : token
    }

    /// With `~` and `$NAME` or `${NAME}` replaced, as Python's `expanduser` and `expandvars` do.
    private static func expand(_ text: String, _ environment: [String: String]) -> String {
        var text = text
        if text == "~" || text.hasPrefix("~/") {
            text = (environment["HOME"] ?? FileManager.default.homeDirectoryForCurrentUser.path) + text.dropFirst()
        }
        return text.replacing(/\$(?:\{(?<braced>[^}]*)\}|(?<bare>[A-Za-z0-9_]+))/) { match in
            let name = String(match.output.braced ?? match.output.bare ?? "")
            return environment[name] ?? String(match.output.0)
        }
    }
}

extension ConcordError.Code {
    /// A model hub that cannot be reached, stopped answering, refused, or has no such model or file.
    public static let hub = Self(rawValue: "hub")
    /// A connection that broke in the middle; what came is kept, and the next pull goes on from there.
    public static let interruptedDownload = Self(rawValue: "interruptedDownload")
    /// What a server sent is not what was announced, or not allowed: length, hash, path, redirect.
    public static let invalidDownload = Self(rawValue: "invalidDownload")
}
