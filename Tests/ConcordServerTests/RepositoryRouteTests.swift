import ConcordCore
import ConcordRuntime
import ConcordServer
import ConcordTestSupport
import Testing

@Suite struct RepositoryRouteTests {
    /// Name, version, state and reason of each model in the index.
    private func index(_ server: TestServer, _ body: JSONValue = [:]) async throws -> [[String?]] {
        let answer = try await server.post("/v2/repository/index", body)
        #expect(answer.status == 200, "\(answer.text)")
        return try #require(answer.json.elements).map { entry in
            ["name", "version", "state", "reason"].map { entry[$0]?.string }
        }
    }

    @Test func modelsAreListedUnloadedAndLoaded() async throws {
        try await TestServer.with([.clip, .sentences]) { server in
            #expect(try await server.get("/v2").json["extensions"]?.elements?.contains("model_repository") == true)
            let sentences = ["tiny-sentences", "1", "READY", ""]
            #expect(try await index(server) == [["tiny-clip", "1", "READY", ""], sentences])
            func vector(_ model: String) async throws -> JSONValue? {
                let answer = try await server.post("/v1/embeddings", ["input": "a dog", "model": .string(model)])
                return answer.json["data"]?.elements?.first?["embedding"]
            }
            let before = try await vector("tiny-clip")
            #expect(try await server.get("/metrics").text.contains(#"resident_bytes{model="tiny-clip"}"#))
            // A model that is not there stays so.
            for body: JSONValue in [["parameters": ["unload_dependents": true]], [:]] {
                let answer = try await server.post("/v2/repository/models/tiny-clip/unload", body)
                #expect(answer.status == 200 && answer.body.isEmpty)
                #expect(try await index(server) == [["tiny-clip", "1", "UNAVAILABLE", "unloaded"], sentences])
                #expect(try await index(server, ["ready": true]) == [sentences])
            }
            #expect(try await !server.get("/metrics").text.contains(#"resident_bytes{model="tiny-clip"}"#))
            let gone = try await server.post("/v1/embeddings", ["input": "a dog", "model": "tiny-clip"])
            #expect(gone.status == 404 && gone.json["error"]?["code"] == "model_not_found")
            #expect(try await server.get("/v2/models/tiny-clip/ready").status == 503)
            #expect(try await vector("tiny-sentences") != nil)
            // What is not to be served is no reason to send nobody here.
            #expect(try await server.get("/health/ready").status == 200)

            let answer = try await server.send("POST", "/v2/repository/models/tiny-clip/load", body: nil)
            #expect(answer.status == 200 && answer.body.isEmpty)
            #expect(try await index(server, ["ready": true]).count == 2)
            let after = try await vector("tiny-clip")
            #expect(before != nil && after == before)
        }
    }

    @Test func whatCannotBeDoneIsRefused() async throws {
        try await TestServer.with([.clip]) { server in
            for (path, body, status, text): (String, JSONValue, Int, String) in [
                ("models/other/load", [:], 404, "no such model"), ("models/other/unload", [:], 404, "no such model"),
                ("index", ["ready": 1], 400, "true or false"), ("index", ["redy": true], 400, "did you mean"),
                ("models/tiny-clip/load", ["parameters": ["config": "{}"]], 400, "parameters.config"),
                ("models/tiny-clip/unload", ["parameters": ["unload_dependents": 1]], 400, "true or false"),
            ] {
                let answer = try await server.post("/v2/repository/" + path, body)
                let message = answer.json["error"]?.string ?? ""
                #expect(answer.status == status && message.lowercased().contains(text), "\(path): \(answer.text)")
            }
            #expect(try await index(server) == [["tiny-clip", "1", "READY", ""]])
        }
    }

    @Test func loadingReadsTheFolderAgain() async throws {
        try await withTemporaryFolder { folder in
            try TinyArtifact.write(.clip, to: folder, seed: 1, name: "m")
            try await TestServer.with(configure: { $0.models = [ModelArgument(folder: folder)] }) { server in
                func space() async throws -> String? {
                    try await server.get("/v1/models/m").json["vector_space"]?.string
                }
                let before = try await space()
                let second = try TinyArtifact.write(.clip, to: folder, seed: 2, name: "m").manifest.vectorSpace
                #expect(try await server.post("/v2/repository/models/m/load", [:]).status == 200)
                let after = try await space()
                #expect(before != second && after == second)
                // One in use stays when the folder is broken; one that was unloaded is not ready then.
                try Files.replace(folder + "/text.onnx", with: "broken")
                let refused = try await server.post("/v2/repository/models/m/load", [:])
                #expect(refused.status == 409 && !refused.text.contains(folder))
                #expect(try await index(server) == [["m", "1", "READY", ""]])
                #expect(try await server.post("/v2/repository/models/m/unload", [:]).status == 200)
                #expect(try await server.post("/v2/repository/models/m/load", [:]).status == 409)
                #expect(try await index(server) == [["m", "1", "UNAVAILABLE", "could not be loaded"]])
                #expect(try await server.get("/health/ready").status == 503)
            }
        }
    }
}
