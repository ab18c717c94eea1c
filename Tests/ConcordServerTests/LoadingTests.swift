import ConcordCore
import ConcordRuntime
import ConcordServer
import ConcordTestSupport
import Foundation
import Logging
import Synchronization
import Testing

/// What a server says from when it listens until its models are there.
@Suite struct LoadingTests {
    /// Lets models be opened one by one.
    private final class Gate: Sendable {
        private let semaphore = DispatchSemaphore(value: 0)
        private let count = Mutex(0)

        /// How many models were opened, or are about to be.
        var openedCount: Int { count.withLock { $0 } }

        func letOneThrough() { semaphore.signal() }

        func guardModels(of configuration: inout ServerConfiguration) {
            configuration.serving.openModel = { [self] folder, options throws(ConcordError) in
                count.withLock { $0 += 1 }
                semaphore.wait()
                return try ExportedModel(folder: folder, options: options)
            }
        }
    }

    @Test func aServerListensBeforeItsModelsAreLoaded() async throws {
        let gate = Gate()
        try await TestServer.with([.coca, .sentences], isLoaded: false, configure: gate.guardModels) { server in
            // A test that fails must not leave the server waiting.
            defer { for _ in 0..<2 { gate.letOneThrough() } }
            #expect(try await server.get("/health/live").status == 200)
            let ready = try await server.get("/health/ready")
            #expect(ready.status == 503 && ready["retry-after"] == "1")
            let models = ready.json["models"]?.elements ?? []
            #expect(models.map { $0["name"]?.string } == ["tiny-coca", "tiny-sentences"])
            #expect(models.map { $0["state"]?.string } == ["loading", "loading"], "\(ready.text)")
            for path in ["/v2/health/ready", "/v2/models/tiny-coca/ready"] {
                let answer = try await server.get(path)
                #expect(answer.status == 503 && answer["retry-after"] == "1", "\(path)")
            }
            let text: JSONValue = ["name": "text", "shape": [1], "datatype": "BYTES", "data": ["a dog"]]
            for (path, body): (String, JSONValue) in [
                ("/v1/embeddings", ["input": "a dog"]), ("/v1/embeddings", ["input": "a", "model": "tiny-sentences"]),
                ("/generate_caption", ["image": .string(TestPictures.dataURI(try TestPictures.png()))]),
                ("/v2/models/tiny-coca/infer", ["inputs": [text]]), ("/v2/repository/models/tiny-coca/load", [:]),
                ("/v2/repository/models/tiny-coca/unload", [:]), ("/admin/reload", ["model": "tiny-coca"]),
            ] {
                let answer = try await server.post(path, body)
                #expect(answer.status == 503 && answer["retry-after"].flatMap { Int($0) } != nil, "\(answer.text)")
            }
            #expect(try await server.post("/v1/embeddings", ["input": "a", "model": "other"]).status == 404)
            // What they are is known already.
            let described = try await server.get("/v1/models/tiny-coca").json
            #expect(described["state"]?.string == "loading" && described["captions"]?.bool == true)

            gate.letOneThrough()
            while try await server.get("/v1/models/tiny-coca").json["state"] != "ready" { await Task.yield() }
            #expect(try await server.isAlive())
            #expect(try await server.get("/v2/models/tiny-coca/ready").status == 200)
            #expect(try await server.get("/health/ready").status == 503)

            gate.letOneThrough()
            let report = await server.whenReady()
            #expect(report?.port == server.port)
            #expect(report?.models.map(\.name) == ["tiny-coca", "tiny-sentences"])
            let done = try await server.get("/health/ready")
            #expect(done.status == 200 && done["retry-after"] == nil)
        }
        #expect(gate.openedCount == 2)
    }

    @Test func aModelThatCannotBeLoadedEndsTheServer() async throws {
        try await withTemporaryFolder { folder in
            try TinyArtifact.write(.clip, to: folder)
            try Files.replace(folder + "/text.onnx", with: Files.read(folder + "/text.onnx") + [0])
            let direct = #expect(throws: ConcordError.self) { try ExportedModel(folder: folder) }
            let (error, hasListened, log) = try await failure(serving: folder)
            #expect(error == direct && error?.code == .invalidCheckpoint)
            #expect(hasListened && log == [])
            // Nothing to wait for: this is known before.
            try Files.replace(folder + "/artifact.json", with: "{")
            let early = try await failure(serving: folder)
            #expect(early.error?.code == .malformedText && !early.hasListened)
        }
    }

    private func failure(
        serving folder: String
    ) async throws -> (error: ConcordError?, hasListened: Bool, log: [String]) {
        var configuration = ServerConfiguration()
        configuration.port = 0
        configuration.models = [ModelArgument(folder: folder)]
        let hasListened = Mutex(false), isListening = DispatchSemaphore(value: 0)
        // The load ends after the server listens, as a large model's would.
        configuration.serving.openModel = { folder, options throws(ConcordError) in
            isListening.wait()
            return try ExportedModel(folder: folder, options: options)
        }
        let log = LogLines()
        let server = try InferenceServer(configuration, logger: Logger(label: "test") { log.handler(label: $0) })
        let error = await #expect(throws: ConcordError.self) {
            try await server.run(
                signals: [],
                onListening: { _ in
                    hasListened.withLock { $0 = true }
                    isListening.signal()
                }, onReady: { _ in Issue.record("it was ready") })
        }
        return (error, hasListened.withLock { $0 }, log.all)
    }

    /// What is being loaded is loaded to its end, and nothing after it.
    @Test func aServerThatLoadsCanBeToldToEnd() async throws {
        let gate = Gate()
        try await TestServer.with([.coca, .sentences], isLoaded: false, configure: gate.guardModels) { server in
            defer { for _ in 0..<2 { gate.letOneThrough() } }
            await server.stop()
            while try await server.get("/health/ready").json["reasons"] != ["the server is about to end"] {
                await Task.yield()
            }
            #expect(try await server.get("/health/live").status == 200)
            gate.letOneThrough()
            #expect(await server.whenReady() == nil)
        }
        #expect(gate.openedCount == 1)
    }
}
