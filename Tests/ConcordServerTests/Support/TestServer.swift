import ConcordCore
import ConcordServer
import ConcordTestSupport
import Foundation
import Logging
import Synchronization
import Testing

/// A server on a free port of this machine, with a tiny model.
struct TestServer: Sendable {
    let port: Int
    let metricsPort: Int?
    let log: LogLines
    private let settings: Settings
    private let server: InferenceServer
    private let reports: AsyncStream<ReadyReport>

    /// Runs `body` against a server that ends with it.
    ///
    /// - Parameters:
    ///   - isLoaded: whether the server is ready when `body` begins; it listens only otherwise.
    ///   - handlesSignals: whether signals to this process are the server's.
    static func with(
        _ kinds: [TinyArtifact.Kind] = [.coca], isLoaded: Bool = true, handlesSignals: Bool = false,
        configure: (inout ServerConfiguration) throws -> Void = { _ in }, _ body: (TestServer) async throws -> Void
    ) async throws {
        var configuration = ServerConfiguration()
        configuration.port = 0
        configuration.drainDelay = .zero
        configuration.drainTimeout = .seconds(20)
        configuration.models = try kinds.map { ModelArgument(folder: try TinyModels.folder(of: $0)) }
        // Checks of the model come at moments that no test waits for.
        configuration.serving.canaryInterval = nil
        configuration.setThreads(1)
        try configure(&configuration)
        let log = LogLines(), settings = Settings(configuration)
        let server = try InferenceServer(
            configuration, logger: Logger(label: "test") { label in log.handler(label: label) },
            readConfiguration: settings.read)
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let (reports, ready) = AsyncStream.makeStream(of: ReadyReport.self)
        let running = Task {
            defer {
                listening.finish()
                ready.finish()
            }
            try await server.run(
                signals: handlesSignals ? InferenceServer.knownSignals : [], onListening: { listening.yield($0) },
                onReady: { ready.yield($0) })
        }
        let port = await ports.first { _ in true }
        let report = await isLoaded ? reports.first { _ in true } : nil
        guard let port, report != nil || !isLoaded else {
            try await running.value
            Issue.record("the server ended before it was ready")
            return
        }
        let result: Result<Void, any Error>
        do {
            try await body(
                TestServer(
                    port: port, metricsPort: report?.metricsPort, log: log, settings: settings, server: server,
                    reports: reports))
            result = .success(())
        } catch { result = .failure(error) }
        await server.stop()
        try await running.value
        try result.get()
    }

    /// What a server that was not loaded says when it is ready; nil when it ended instead.
    func whenReady() async -> ReadyReport? { await reports.first { _ in true } }

    /// Has the server follow settings that `change` has changed, and returns what it logged meanwhile.
    func reload(_ change: @Sendable @escaping (inout ServerConfiguration) throws -> Void = { _ in }) async -> [String] {
        settings.change = change
        return await reloaded { server.reload() }
    }

    /// What the server logs from now to the end of a reload that `body` has it begin.
    func reloaded(_ body: () -> Void) async -> [String] {
        let start = log.all.count
        body()
        while true {
            let lines = log.all.dropFirst(start)
            if lines.contains(where: { $0.hasPrefix("reloaded ") }) { return Array(lines) }
            await Task.yield()
        }
    }

    /// Tells the server to end, as a signal would.
    func stop() async { await server.stop() }

    func get(_ path: String, headers: [(String, String)] = []) async throws -> TestResponse {
        try await send("GET", path, headers: headers, body: nil)
    }

    func post(_ path: String, json: String, headers: [(String, String)] = []) async throws -> TestResponse {
        try await send(
            "POST", path, headers: [("Content-Type", "application/json")] + headers, body: Array(json.utf8))
    }

    func post(_ path: String, _ json: JSONValue, headers: [(String, String)] = []) async throws -> TestResponse {
        try await post(path, json: json.text(), headers: headers)
    }

    func post(_ path: String, form: TestForm, headers: [(String, String)] = []) async throws -> TestResponse {
        try await send("POST", path, headers: [("Content-Type", form.contentType)] + headers, body: form.bytes)
    }

    func send(
        _ method: String, _ path: String, headers: [(String, String)] = [], body: [UInt8]?
    ) async throws -> TestResponse {
        let connection = try await TestConnection(port: port)
        defer { connection.close() }
        return try await connection.exchange(TestConnection.request(method, path, headers: headers, body: body))
    }

    /// Whether the model still answers: an embedding of a text has its width.
    func isAlive(_ headers: [(String, String)] = []) async throws -> Bool {
        let answer = try await post("/v1/embeddings", ["input": "a red apple"], headers: headers)
        return answer.status == 200
            && answer.json["data"]?.elements?.first?["embedding"]?.elements?.count == TinyArtifact.embeddingWidth
    }
}

/// What a server reads when it is told to read its settings.
private final class Settings: Sendable {
    private let start: ServerConfiguration
    private let changes = Mutex<@Sendable (inout ServerConfiguration) throws -> Void>({ _ in })

    init(_ start: ServerConfiguration) { self.start = start }

    var change: @Sendable (inout ServerConfiguration) throws -> Void {
        get { changes.withLock { $0 } }
        set { changes.withLock { $0 = newValue } }
    }

    @Sendable func read() throws -> ServerConfiguration {
        var configuration = start
        try change(&configuration)
        return configuration
    }
}

/// Folders of tiny models, written once.
enum TinyModels {
    private static let folders = Mutex<[TinyArtifact.Kind: TemporaryFolder]>([:])

    static func folder(of kind: TinyArtifact.Kind) throws -> String {
        try folders.withLock { folders in
            if let folder = folders[kind] { return folder.path }
            let folder = try TemporaryFolder()
            try TinyArtifact.write(kind, to: folder.path)
            folders[kind] = folder
            return folder.path
        }
    }
}

/// The lines that a server logged.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func handler(label: String) -> any LogHandler { Handler(lines: self) }

    private struct Handler: LogHandler {
        let lines: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = metadata.merging(event.metadata ?? [:]) { $1 }
            let line =
                "\(event.message) "
                + all.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
                .joined(separator: " ")
            lines.lines.withLock { $0.append(line) }
        }
    }
}
