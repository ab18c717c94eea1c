import ArgumentParser
import CAllocator
import ConcordCore
import ConcordMedia
import ConcordServer
import Logging

/// The arguments of `concord-server` and `concord serve`.
package struct ServeArguments: ParsableArguments, Sendable {
    package static let discussion = """
        The server listens at once, answers 503 until its models are loaded, and then prints one line, "ready: …", on
        standard output. Without --keys, requests need no key; this is allowed only on a loopback address. SIGTERM stops
        the server after all accepted requests are answered. SIGHUP reloads the settings file, the keys and the exported
        models; settings that --settings marks with "restart" take effect at the next start.

        Examples:
          concord-server --model artifacts/coca
          concord-server --model small=artifacts/clip --model artifacts/coca --config server.yaml
          concord-server --make-key team-a --scope embed --scope caption
          concord-server --model artifacts/coca --host 0.0.0.0 --keys keys.json --log-format json
          curl -F image=@cat.jpg http://127.0.0.1:8080/generate_caption
        """

    enum LogFormat: String, ExpressibleByArgument, CaseIterable {
        case text, json
    }

    @Option(
        name: .customLong("model"),
        help: "[NAME=]FOLDER of an exported model; may be repeated, the first is the default model.")
    var models: [String] = []

    @Option(
        name: .customLong("alias"),
        help: "NAME=MODEL: another name for a model in requests; may be repeated.")
    var aliases: [String] = []

    @Option(help: "Address to listen on (default: 127.0.0.1).")
    var host: String?

    @Option(help: "Port to listen on (default: 8080); 0 picks a free port.")
    var port: Int?

    @Option(help: "Serve only /metrics on this port of 127.0.0.1, without keys.")
    var metricsPort: Int?

    @Option(help: "The file with the API keys, keys.json.")
    var keys: String?

    @Option(help: "A settings file, server.yaml, which options override; --settings lists its keys.")
    var config: String?

    @Option(help: "Number of threads that run models and decode images (default: all processors).")
    var threads: Int?

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Accepted image formats (default: \(ServerConfiguration.imageFormatNames(ImageFormat.web))).",
            valueName: "format"))
    var imageFormats: [ImageFormat] = []

    @Option(help: "Log format: text or json.")
    var logFormat: LogFormat?

    @Option(help: "Log level: trace, debug, info, notice, warning, error or critical.")
    var logLevel: String?

    @Option(help: ArgumentHelp("Print a new API key and its entry for keys.json, then exit.", valueName: "id"))
    var makeKey: String?

    @Option(
        name: .customLong("scope"), help: "A scope of the new key: embed, caption, admin or metrics; may be repeated.")
    var scopes: [String] = []

    @Flag(help: "List the settings of server.yaml, then exit.")
    var settings = false

    package init() {}

    /// Runs the server until a signal stops it.
    package func run() async throws {
        let start = ContinuousClock.now
        if settings {
            for setting in ServerSettings.all {
                print("\(setting.key): \(setting.summary)" + (setting.effect == .afterRestart ? " (restart)" : ""))
            }
            return
        }
        if let makeKey { return try printKey(makeKey) }
        ProcessMemory.staysSmall()
        // A closed log pipe or client connection must not end the process.
        signal(SIGPIPE, SIG_IGN)
        let server = try InferenceServer(configuration()) { try configuration() }
        try await server.run(onReady: { report in
            let elapsed = start.duration(to: .now) / .seconds(1)
            let models = report.models.map { "\($0.name) (\($0.abilities.joined(separator: ", ")))" }
            print(
                "ready: \(report.url)  models: \(models.joined(separator: ", "))  "
                    + "started in \(NumberText.fixed(elapsed, decimals: 3)) s")
            // A pipe is not flushed line by line.
            fflush(nil)
        })
    }

    private func configuration() throws -> ServerConfiguration {
        var configuration = ServerConfiguration()
        if let config {
            let text = String(decoding: try Files.read(config, limit: 1 << 20), as: UTF8.self)
            try configuration.read(yaml: text, source: config)
        }
        if !models.isEmpty { configuration.models = try models.map { try ModelArgument($0) } }
        if !aliases.isEmpty { configuration.aliases = try aliases.map { try ModelAlias($0) } }
        if let host {
            guard let name = ServerSettings.hostName(host) else { throw ValidationError("--host is empty.") }
            configuration.host = name
        }
        if let port {
            guard (0...65535).contains(port) else { throw ValidationError("--port is \(port); it must be in 0…65535.") }
            configuration.port = port
        }
        if let metricsPort {
            guard (0...65535).contains(metricsPort) else {
                throw ValidationError("--metrics-port is \(metricsPort); it must be in 0…65535.")
            }
            configuration.metricsPort = metricsPort
        }
        if let keys { configuration.keys = keys }
        if let threads {
            guard (1...1024).contains(threads) else {
                throw ValidationError("--threads is \(threads); it must be in 1…1024.")
            }
            configuration.setThreads(threads)
        }
        if !imageFormats.isEmpty { configuration.serving.imageLimits.formats = Set(imageFormats) }
        if let logFormat { configuration.logsJSON = logFormat == .json }
        if let logLevel {
            guard let level = Logger.Level(rawValue: logLevel) else {
                throw ValidationError(
                    "--log-level \(logLevel) is unknown; levels are "
                        + Logger.Level.allCases.map(\.rawValue).joined(separator: ", ") + ".")
            }
            configuration.logLevel = level
        }
        return configuration
    }

    private func printKey(_ id: String) throws {
        var wanted: Set<APIKey.Scope> = []
        for name in scopes {
            guard let scope = APIKey.Scope(rawValue: name) else {
                let known = APIKey.Scope.allCases.map(\.rawValue)
                throw ValidationError("--scope \(name) is unknown; scopes are \(known.joined(separator: ", ")).")
            }
            wanted.insert(scope)
        }
        let (key, entry) = APIKeys.makeKey(id: id, scopes: wanted.isEmpty ? [.embed, .caption] : wanted)
        print("key for the client (it is not shown again):\n\(key)\n\nentry for keys.json:\n\(entry)")
    }
}

extension ImageFormat: ExpressibleByArgument {}

/// `concord serve`.
package struct ServeCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve exported models over HTTP.", discussion: ServeArguments.discussion)

    @OptionGroup var arguments: ServeArguments

    package init() {}

    package func run() async throws { try await arguments.run() }
}

/// Settings of the C library's allocator for a service.
enum ProcessMemory {
    /// Returns the memory of large bodies and images to the system once they are answered, however large others were, and
    /// keeps one heap for each processor. By default there are up to eight, each with gaps that only its own threads fill,
    /// and buffers of up to 32 MiB stay in them. Variables of the environment win.
    ///
    /// The few buffers of less than 1 MiB that each image needs stay in the heaps: pages that the system has to clear
    /// for each of them took a tenth of the time of int8 embeddings.
    static func staysSmall() {
        #if canImport(Glibc)
            let environment = ProcessInfo.processInfo.environment
            if environment["MALLOC_MMAP_THRESHOLD_"] == nil { mallopt(M_MMAP_THRESHOLD, 1 << 20) }
            if environment["MALLOC_ARENA_MAX"] == nil { mallopt(M_ARENA_MAX, Int32(clamping: CPUCount.available)) }
        #endif
    }
}
