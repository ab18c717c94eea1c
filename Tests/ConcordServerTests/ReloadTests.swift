import ConcordCore
import ConcordServer
import ConcordTestSupport
import Foundation
import Synchronization
import Testing

/// A server that is told to look at its settings, keys and models again.
@Suite struct ReloadTests {
    private func vector(_ server: TestServer, _ model: String? = nil) async throws -> [Double] {
        var body: [String: JSONValue] = ["input": "an apple"]
        if let model { body["model"] = .string(model) }
        let answer = try await server.post(
            "/v1/embeddings", .object(body.map { .init($0.key, $0.value) }.sorted { $0.name < $1.name }))
        #expect(answer.status == 200, "\(answer.text)")
        return answer.json["data"]?.elements?.first?["embedding"]?.elements?.compactMap(\.double) ?? []
    }

    private func models(_ server: TestServer) async throws -> [String?] {
        try await server.get("/v1/models").json["data"]?.elements?.map { $0["id"]?.string } ?? []
    }

    @Test func settingsAreFollowedAndThoseThatCannotBeAreNamed() async throws {
        try await TestServer.with([.clip]) { server in
            let headers = [("Host", "models.example.com")]
            let refused = try await server.get("/v1/models", headers: headers)
            #expect(refused.status == 403)
            let lines = await server.reload { configuration in
                configuration.hostNames = ["models.example.com"]
                configuration.bodyBytes = 64
                configuration.connections = 3
                configuration.serving.queue.capacity = 5
            }
            #expect(lines.contains { $0.hasPrefix("settings changed keys=body_bytes,host_names") }, "\(lines)")
            #expect(
                lines.contains { $0.contains("no effect before a restart keys=connections,queue_capacity") }, "\(lines)"
            )
            #expect(lines.last == "reloaded models_unchanged=tiny-clip", "\(lines)")
            #expect(try await server.get("/v1/models", headers: headers).status == 200)
            let long = JSONValue.string(String(repeating: "a", count: 100))
            #expect(try await server.post("/v1/embeddings", ["input": long]).status == 413)
            // Nothing is changed by what was changed before.
            #expect(await server.reload { $0.bodyBytes = 64 }.contains { $0.contains("keys=host_names") })
        }
    }

    @Test func whatCannotBeReadChangesNothing() async throws {
        try await withTemporaryFolder { folder in
            try TinyArtifact.write(.clip, to: folder + "/m")
            try await TestServer.with(configure: { $0.models = [ModelArgument(folder: folder + "/m")] }) { server in
                let before = try await vector(server)
                let lines = await server.reload { _ in
                    throw ConcordError(.invalidConfiguration, "server.yaml: port is \"many\"")
                }
                #expect(
                    lines.contains { $0.hasPrefix("settings not reloaded; the earlier ones stay error=") }, "\(lines)")
                #expect(await server.reload { $0.models = [] }.contains { $0.contains("no model is named") })
                #expect(await server.reload { $0.keys = folder + "/none" }.contains { $0.contains("/none") })
                #expect(try await vector(server) == before)
                // The models are looked at all the same.
                try TinyArtifact.write(.clip, to: folder + "/m", seed: 2)
                let other = await server.reload { _ in throw ConcordError(.fileSystem, "no server.yaml") }
                #expect(other.last == "reloaded models_replaced=tiny-clip", "\(other)")
                #expect(try await vector(server) != before)
            }
        }
    }

    @Test func keysMayComeAndChangeButNotGo() async throws {
        try await withTemporaryFolder { folder in
            let made = ["a", "b"].map { APIKeys.makeKey(id: $0, scopes: [.embed]) }
            for (name, key) in zip(["a", "b"], made) {
                try Files.replace(folder + "/\(name).json", with: "[\(key.entry)]")
            }
            func status(_ server: TestServer, _ key: String?) async throws -> Int {
                let headers = key.map { [("Authorization", "Bearer \($0)")] } ?? []
                return try await server.post("/v1/embeddings", ["input": "an apple"], headers: headers).status
            }
            try await TestServer.with([.clip]) { server in
                #expect(try await status(server, nil) == 200)
                _ = await server.reload { $0.keys = folder + "/a.json" }
                #expect(try await status(server, nil) == 401)
                #expect(try await status(server, made[0].key) == 200)
                // The same file with another content, at once.
                try Files.replace(folder + "/a.json", with: "[\(made[1].entry)]")
                _ = await server.reload { $0.keys = folder + "/a.json" }
                #expect(try await status(server, made[0].key) == 401)
                #expect(try await status(server, made[1].key) == 200)
                let broken = await server.reload { configuration in
                    try Files.replace(folder + "/a.json", with: "[")
                    configuration.keys = folder + "/a.json"
                }
                #expect(broken.contains { $0.contains("not reloaded") && $0.contains("/a.json") }, "\(broken)")
                #expect(try await status(server, made[1].key) == 200)
                try Files.replace(folder + "/a.json", with: "[\(made[1].entry)]")
                let gone = await server.reload()
                #expect(gone.contains { $0.contains("no effect before a restart keys=keys") }, "\(gone)")
                #expect(try await status(server, nil) == 401)
            }
        }
    }

    @Test func aFolderThatChangedIsLoadedBesideAndNoRequestIsLost() async throws {
        try await withTemporaryFolder { folder in
            try TinyArtifact.write(.clip, to: folder + "/m")
            try await TestServer.with(configure: { $0.models = [ModelArgument(folder: folder + "/m")] }) { server in
                let before = try await vector(server)
                // Another model over the one in use: nothing of it is served, and nobody is alarmed.
                try TinyArtifact.write(.clip, to: folder + "/other", seed: 2)
                for name in try FileManager.default.contentsOfDirectory(atPath: folder + "/other") {
                    let handle = try #require(FileHandle(forWritingAtPath: folder + "/m/" + name))
                    try handle.truncate(atOffset: 0)
                    #expect(try await vector(server) == before)
                    try handle.write(contentsOf: Files.read(folder + "/other/" + name))
                    try handle.close()
                    #expect(try await vector(server) == before)
                }
                let isDone = Mutex(false)
                let asking = Task {
                    var answers = Set<[Double]>()
                    while !isDone.withLock({ $0 }) { answers.insert(try await vector(server)) }
                    return answers
                }
                let lines = await server.reload()
                isDone.withLock { $0 = true }
                #expect(lines.contains("reloaded models_replaced=tiny-clip"), "\(lines)")
                let after = try await vector(server)
                #expect(after != before)
                #expect(try await asking.value.isSubset(of: [before, after]))
                #expect(try await server.get("/health/ready").status == 200)
            }
        }
    }

    @Test(arguments: ["text.onnx", "artifact.json", "weights.data", "config.json"])
    func aModelThatIsNotGoodLeavesTheOneInUse(_ name: String) async throws {
        try await withTemporaryFolder { folder in
            try TinyArtifact.write(.clip, to: folder + "/m")
            try await TestServer.with(configure: { $0.models = [ModelArgument(folder: folder + "/m")] }) { server in
                let before = try await vector(server), path = folder + "/m/" + name, good = try Files.read(path)
                try Files.replace(path, with: good.dropLast(3))
                let lines = await server.reload()
                #expect(lines.contains { $0.hasPrefix("model fault") && $0.contains(name) }, "\(lines)")
                #expect(lines.last == "reloaded models_failed=tiny-clip", "\(lines)")
                #expect(try await vector(server) == before)
                #expect(try await server.get("/health/ready").status == 200)
                try Files.replace(path, with: good)
                #expect(await server.reload().last == "reloaded models_replaced=tiny-clip")
            }
        }
    }

    @Test func modelsComeAndGo() async throws {
        try await withTemporaryFolder { folder in
            for (index, name) in ["a", "b", "c"].enumerated() {
                try TinyArtifact.write(.clip, to: folder + "/" + name, seed: UInt64(index + 1), name: name)
            }
            @Sendable func arguments(_ names: String...) -> [ModelArgument] {
                names.map { ModelArgument(folder: folder + "/" + $0) }
            }
            try await TestServer.with(configure: { $0.models = arguments("a", "b") }) { server in
                let (a, b) = (try await vector(server, "a"), try await vector(server, "b"))
                #expect(try await vector(server) == a)
                let lines = await server.reload { $0.models = arguments("b", "c") }
                #expect(lines.last == "reloaded models_added=c models_removed=a models_unchanged=b", "\(lines)")
                #expect(try await models(server) == ["b", "c"])
                #expect(try await vector(server) == b)
                #expect(try await server.post("/v1/embeddings", ["input": "x", "model": "a"]).status == 404)
                // One that is no good is not there, and nothing else changes.
                try Files.replace(folder + "/a/text.onnx", with: "no graph")
                let broken = await server.reload { $0.models = arguments("a", "b", "c") }
                #expect(broken.last == "reloaded models_failed=a models_unchanged=b,c", "\(broken)")
                #expect(try await models(server) == ["b", "c"])
                #expect(try await server.get("/health/ready").status == 200)
                // A name is one model's.
                let twice = await server.reload {
                    $0.models = arguments("b", "c") + [ModelArgument(name: "b", folder: folder + "/c")]
                }
                #expect(twice.last == "reloaded models_failed=b models_unchanged=b,c", "\(twice)")
                #expect(try await models(server) == ["b", "c"])
                // Another folder under a known name.
                let moved = await server.reload {
                    $0.models = [ModelArgument(name: "c", folder: folder + "/b")] + arguments("b")
                }
                #expect(moved.last == "reloaded models_replaced=c models_unchanged=b", "\(moved)")
                #expect(try await vector(server) == b)
                #expect(try await models(server) == ["c", "b"])
            }
        }
    }

    @Test func modelsThatAnAdministratorTookAwayStayAway() async throws {
        try await TestServer.with([.clip, .sentences]) { server in
            let unloaded = try await server.post("/v2/repository/models/tiny-clip/unload", [:])
            #expect(unloaded.status == 200)
            #expect(await server.reload().last == "reloaded models_unchanged=tiny-clip,tiny-sentences")
            #expect(try await server.post("/v1/embeddings", ["input": "x", "model": "tiny-clip"]).status == 404)
        }
    }
}
