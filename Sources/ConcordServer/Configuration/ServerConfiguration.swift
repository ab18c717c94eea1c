import ConcordCore
import ConcordMedia
import Logging

/// All that can be said about a server before it starts. The options of `concord-server` and the keys of its file
/// `server.yaml` set the same things.
public struct ServerConfiguration: Sendable {
    public var models: [ModelArgument] = []
    /// Other names that requests may call the models by.
    public var aliases: [ModelAlias] = []
    public var host = "127.0.0.1"
    /// 0 takes a free one.
    public var port = 8080
    /// A port for `/metrics` alone, which asks for no key; nil for none.
    public var metricsPort: Int?
    public var metricsHost = "127.0.0.1"
    /// The file of keys; nil where no key is asked for, which only a server on loopback may do.
    public var keys: String?
    /// How models are served.
    public var serving = ServingOptions()

    /// The most bytes of one body.
    public var bodyBytes = 64 << 20
    /// The most bytes of all bodies being read and answered.
    public var bodiesBytes = 512 << 20
    public var connections = 1024
    /// Time without a part of a request after which a connection is closed; also for the headers of a request.
    public var idleTimeout: Duration = .seconds(60)
    /// How long a body may take that brings nothing; each 16 KiB bring a second more.
    public var bodyTimeout: Duration = .seconds(30)
    /// After which an answer is of no use any more.
    public var requestTimeout: Duration = .seconds(60)
    /// How long a server that is told to end still answers on, not ready, so that clients look elsewhere.
    public var drainDelay: Duration = .milliseconds(500)
    /// How long it waits then for the requests that it accepted.
    public var drainTimeout: Duration = .seconds(30)

    /// Which addresses of pictures are fetched; nil, as by default, for none.
    public var imageFetching: PictureFetchOptions?
    /// Pages that may use the server from a browser, such as `https://example.com`; none by default.
    public var crossOrigins: [String] = []
    /// Names that a server without keys answers to beside addresses and `localhost`, such as that of a proxy before it;
    /// `*` for all, which lets any page that a browser on this machine shows use the server.
    public var hostNames: [String] = []
    public var logLevel = Logger.Level.info
    /// Whether log lines are JSON objects.
    public var logsJSON = false

    public init() {}

    /// Whether only this machine can reach the server.
    var isLoopback: Bool { host == "localhost" || InternetAddress(host)?.isLoopback == true }

    /// The name of the model that requests call so.
    func modelName(_ name: String) -> String {
        // As a rule there are none.
        aliases.isEmpty ? name : aliases.first { $0.name == name }?.model ?? name
    }

    /// Checks the aliases against the names of all models. Throws `.invalidConfiguration`.
    func checkAliases(models: [String]) throws(ConcordError) {
        for alias in aliases {
            guard models.contains(alias.model) else {
                throw ConcordError(
                    .invalidConfiguration,
                    "the alias \"\(alias.name)\" is for the model \"\(alias.model)\", which is not served; the models are "
                        + models.joined(separator: ", "))
            }
            guard !models.contains(alias.name), aliases.count(where: { $0.name == alias.name }) == 1 else {
                throw ConcordError(
                    .invalidConfiguration, "the alias \"\(alias.name)\" is a name that is taken; give another")
            }
        }
    }

    /// Throws `.invalidConfiguration` for what cannot be served, or should not.
    public func validate() throws(ConcordError) {
        guard !models.isEmpty else {
            throw ConcordError(
                .invalidConfiguration, "no model is named; give --model FOLDER, which `concord export` has written")
        }
        let names = models.compactMap(\.name)
        if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
            throw ConcordError(.invalidConfiguration, "two models are called \"\(twice)\"; give one another name")
        }
        guard metricsPort != port || port == 0 || metricsHost != host else {
            throw ConcordError(
                .invalidConfiguration, "port and metrics_port are both \(port); give one of them another number")
        }
        let further = serving.imageLimits.formats.subtracting(ImageFormat.web)
        if let missing = further.first(where: { !$0.isReadable }) {
            throw ConcordError(
                .invalidConfiguration,
                "image_formats has \(missing.rawValue), but this machine's libvips was built without \(missing.name); "
                    + "install one that has it, or take it out")
        }
        guard isLoopback || keys != nil else {
            throw ConcordError(
                .invalidConfiguration,
                "on \(host) others can reach the server, so it asks for keys: give --keys FILE (`concord-server "
                    + "--make-key` prints a key and its entry), or stay on 127.0.0.1")
        }
    }
}
