import ConcordCore
import ConcordServer
import ConcordTestSupport
import Foundation
import Testing

@Suite struct HTTPServiceTests {
    @Test func healthAndDiscovery() async throws {
        try await TestServer.with([.coca, .sentences]) { server in
            #expect(try await server.get("/health/live").status == 200)
            let ready = try await server.get("/health/ready")
            #expect(ready.status == 200 && ready.json["status"]?.string == "ready", "\(ready.text)")
            let models = try await server.get("/v1/models")
            #expect(models.json["data"]?.elements?.map { $0["id"]?.string } == ["tiny-coca", "tiny-sentences"])
            #expect(try await server.get("/v1/models/tiny-coca").json["captions"]?.bool == true)
            #expect(try await server.get("/v1/models/other").status == 404)
            let named = try await server.post("/v1/embeddings", ["input": "a dog", "model": "tiny-sentences"])
            #expect(named.json["model"]?.string == "tiny-sentences")
        }
    }

    @Test func namesInAddressesMayBeEscaped() async throws {
        try await TestServer.with { server in
            for name in ["tiny-coca", "tiny%2dcoca", "%74iny%2Dcoc%61", "tiny-coca/"] {
                let answer = try await server.get("/v1/models/" + name)
                #expect(answer.status == 200, "\(name): \(answer.text)")
            }
            // A percent sign without two digits, bytes that are no UTF-8, nothing, and what is escaped twice.
            for name in ["tiny-coca%", "tiny-coca%2", "tiny%zzcoca", "%e4", "tiny%252dcoca", "tiny+coca"] {
                let answer = try await server.get("/v1/models/" + name)
                #expect(answer.status == 404, "\(name): \(answer.text)")
            }
        }
    }

    /// Names as people know models by, also with slashes, which clients do not escape.
    @Test func modelsHaveNamesWithSlashesAndAliases() async throws {
        let name = "openai/clip-vit-base-patch32"
        try await TestServer.with(
            configure: {
                $0.models = [
                    ModelArgument(folder: try TinyModels.folder(of: .coca)),
                    ModelArgument(name: name, folder: try TinyModels.folder(of: .clip)),
                ]
                $0.aliases = [
                    ModelAlias(name: "text-embedding-3-small", model: name),
                    ModelAlias(name: "org/captioner/ready", model: "tiny-coca"),
                ]
            }
        ) { server in
            let infer: JSONValue = [
                "inputs": [["name": "text", "shape": [1], "datatype": "BYTES", "data": ["a dog"]]]
            ]
            for (asked, real) in [
                (name, name), ("text-embedding-3-small", name), ("org/captioner/ready", "tiny-coca"),
            ] {
                let vector = try await server.post("/v1/embeddings", ["input": "a dog", "model": .string(asked)])
                #expect(vector.status == 200 && vector.json["model"]?.string == real, "\(vector.text)")
                for address in [asked, asked.replacing("/", with: "%2F")] {
                    let model = try await server.get("/v1/models/" + address)
                    #expect(model.status == 200 && model.json["id"]?.string == asked, "\(address): \(model.text)")
                    #expect(model.json["alias_of"]?.string == (asked == real ? nil : real))
                    for version in ["", "/versions/1"] {
                        let path = "/v2/models/" + address + version
                        #expect(try await server.get(path).json["name"]?.string == real, "\(path)")
                        #expect(try await server.get(path + "/ready").status == 200, "\(path)")
                        let answer = try await server.post(path + "/infer", infer)
                        #expect(answer.status == 200 && answer.json["model_name"]?.string == real, "\(answer.text)")
                        #expect(try await server.get(path + "/infer").status == 405)
                    }
                }
            }
            #expect(
                try await server.get("/v1/models").json["data"]?.elements?.map { $0["id"]?.string }
                    == ["tiny-coca", name, "text-embedding-3-small", "org/captioner/ready"])
            let reload = try await server.post("/admin/reload", ["model": "text-embedding-3-small"])
            #expect(reload.status == 200 && reload.json["model"]?.string == name, "\(reload.text)")
            for action in ["unload", "load"] {
                let answer = try await server.post("/v2/repository/models/\(name)/\(action)", [:])
                #expect(answer.status == 200, "\(answer.text)")
            }
            for path in [
                "/v1/models/openai", "/v1/models/openai//x", "/v1/models/openai/other", "/v2/models/a/b/infer",
            ] {
                #expect(try await server.get(path).status == 404, "\(path)")
            }
        }
        for aliases in [
            [ModelAlias(name: "a", model: "other")], [ModelAlias(name: "tiny-coca", model: "tiny-coca")],
            [ModelAlias(name: "a", model: "tiny-coca"), ModelAlias(name: "a", model: "tiny-coca")],
        ] {
            await #expect(throws: ConcordError.self) {
                try await TestServer.with(configure: { $0.aliases = aliases }) { _ in }
            }
        }
    }

    @Test func metricsCountRequests() async throws {
        try await TestServer.with(configure: { $0.metricsPort = 0 }) { server in
            _ = try await server.post("/v1/embeddings", ["input": "a dog"])
            _ = try await server.get("/no/such/place")
            let text = try await server.get("/metrics").text
            #expect(text.contains(#"route="/v1/embeddings""#) && text.contains("concord_"))
            #expect(!text.contains("/no/such/place"), "paths of strangers are no labels")
            let port = try #require(server.metricsPort)
            let connection = try await TestConnection(port: port)
            let other = try await connection.exchange(TestConnection.request("GET", "/metrics", body: nil))
            #expect(other.status == 200)
            let elsewhere = try await TestConnection(port: port)
            let refused = try await elsewhere.exchange(TestConnection.request("GET", "/v1/models", body: nil))
            #expect(refused.status == 404)
        }
    }

    /// The description is written from the table that requests are answered by; nothing is in one alone.
    @Test func everyRouteIsDescribedAndEveryDescriptionIsARoute() async throws {
        try await TestServer.with { server in
            let document = try await server.get("/openapi.json").json
            #expect(document["openapi"]?.string == "3.1.0")
            let paths = try #require(document["paths"]?.members)
            let expected = [
                "/", "/generate_caption", "/v1/embeddings", "/v2/embed", "/similarity", "/classify",
                "/v1/chat/completions", "/v1/models", "/v1/models/{model}", "/v2", "/v2/health/live",
                "/v2/health/ready", "/v2/models/{model}", "/v2/models/{model}/ready", "/v2/models/{model}/infer",
                "/v2/models/{model}/versions/{version}", "/v2/models/{model}/versions/{version}/ready",
                "/v2/models/{model}/versions/{version}/infer", "/health/live", "/health/ready", "/metrics",
                "/v2/repository/index", "/v2/repository/models/{model}/load", "/v2/repository/models/{model}/unload",
                "/admin/reload", "/docs", "/openapi.json",
            ]
            #expect(Set(paths.map(\.name)) == Set(expected) && paths.count == expected.count)
            var identifiers: [String] = []
            for path in paths {
                let address = path.name.replacing("{model}", with: "tiny-coca").replacing("{version}", with: "1")
                for operation in path.value.members ?? [] {
                    identifiers.append(operation.value["operationId"]?.string ?? "")
                    let answer =
                        operation.name == "get"
                        ? try await server.get(address) : try await server.post(address, json: "[")
                    // A body that is no JSON shows that the handler was reached.
                    #expect([200, 400, 422].contains(answer.status), "\(operation.name) \(address): \(answer.status)")
                }
                // The other method is refused, with the right ones named.
                let methods = (path.value.members ?? []).map { $0.name.uppercased() }
                let other = methods.contains("GET") ? "POST" : "GET"
                let refused = try await server.send(other, address, body: nil)
                #expect(refused.status == 405 && refused["allow"] == methods.joined(separator: ", "))
            }
            #expect(Set(identifiers).count == identifiers.count)
        }
    }

    @Test(arguments: ["/", "/docs"])
    func pagesNeedNoOtherHost(_ path: String) async throws {
        try await TestServer.with { server in
            let page = try await server.get(path)
            #expect(page["content-type"] == "text/html; charset=utf-8")
            #expect(!page.text.contains("http://") && !page.text.contains("https://") && !page.text.contains("//cdn"))
            let policy = try #require(page["content-security-policy"])
            #expect(policy.hasPrefix("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
            #expect(page["x-content-type-options"] == "nosniff" && page["x-frame-options"] == "DENY")
            if path == "/" {
                for name in ["image", "texts", "run", "caption", "similarities", "timings"] {
                    #expect(page.text.contains("id=\"\(name)\""))
                }
            }
        }
    }

    @Test func requestIdsAndTraces() async throws {
        try await TestServer.with { server in
            let named = try await server.get("/v1/models", headers: [("X-Request-Id", "order-42.a_b")])
            #expect(named["x-request-id"] == "order-42.a_b")
            let none = try await server.get("/v1/models")
            #expect(none["x-request-id"]?.count == 32)
            for bad in ["a b", "a\tb", "<script>", String(repeating: "x", count: 200), "é"] {
                let answer = try await server.get("/v1/models", headers: [("X-Request-Id", bad)])
                #expect(answer.status != 200 || answer["x-request-id"]?.count == 32, "\(bad)")
            }
            let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
            _ = try await server.get("/v1/models", headers: [("traceparent", "00-\(trace)-00f067aa0ba902b7-01")])
            _ = try await server.get("/v2", headers: [("traceparent", "00-\(trace.uppercased())-00f067aa0ba902b7-01")])
            #expect(server.log.all.contains { $0.contains("route=/v1/models") && $0.contains("trace_id=\(trace)") })
            #expect(!server.log.all.contains { $0.contains("route=/v2") && $0.contains("trace_id") })
        }
    }

    @Test func otherOriginsAreForbiddenUnlessNamed() async throws {
        let origin = [("Origin", "https://example.com")]
        let asks = origin + [("Access-Control-Request-Method", "POST")]
        try await TestServer.with { server in
            let answer = try await server.get("/v1/models", headers: origin)
            #expect(answer["access-control-allow-origin"] == nil)
            let preflight = try await server.send("OPTIONS", "/v1/embeddings", headers: asks, body: nil)
            #expect(preflight.status == 405)
        }
        try await TestServer.with(configure: { $0.crossOrigins = ["https://example.com"] }) { server in
            let answer = try await server.get("/v1/models", headers: origin)
            #expect(answer["access-control-allow-origin"] == "https://example.com" && answer["vary"] == "Origin")
            let preflight = try await server.send("OPTIONS", "/v1/embeddings", headers: asks, body: nil)
            #expect(preflight.status == 204 && preflight["access-control-allow-methods"]?.contains("POST") == true)
            #expect(preflight["access-control-allow-headers"]?.contains("Authorization") == true)
            // As OpenAI's client in a browser asks.
            let wanted = "authorization,content-type,x-stainless-arch,x-stainless-lang,x-stainless-retry-count"
            let stainless = try await server.send(
                "OPTIONS", "/v1/embeddings", headers: asks + [("Access-Control-Request-Headers", wanted)], body: nil)
            #expect(stainless.status == 204 && stainless["access-control-allow-headers"] == wanted)
            // What its error handling reads.
            let exposed = answer["access-control-expose-headers"]?.lowercased().components(separatedBy: ", ") ?? []
            #expect(Set(exposed).isSuperset(of: ["x-request-id", "retry-after"]))
            let stranger = try await server.send(
                "OPTIONS", "/v1/embeddings",
                headers: [("Origin", "https://example.org")] + asks.dropFirst()
                    + [("Access-Control-Request-Headers", wanted)], body: nil)
            #expect(stranger.status == 405 && stranger["access-control-allow-headers"] == nil)
            let other = try await server.get("/v1/models", headers: [("Origin", "https://example.org")])
            #expect(other["access-control-allow-origin"] == nil && other["access-control-expose-headers"] == nil)
        }
    }

    @Test func connectionsAreKeptAndHeadHasNoBody() async throws {
        try await TestServer.with { server in
            let connection = try await TestConnection(port: server.port)
            let body = Array(#"{"input": "a dog"}"#.utf8)
            for _ in 0..<3 {
                let answer = try await connection.exchange(
                    TestConnection.request("POST", "/v1/embeddings", body: body))
                #expect(answer.status == 200)
            }
            await connection.send(Array("HEAD /docs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8))
            let rest = String(decoding: await connection.rest(), as: UTF8.self)
            #expect(rest.hasPrefix("HTTP/1.1 200") && rest.hasSuffix("\r\n\r\n"))
        }
    }

    @Test func bodiesAreInvitedOnRequest() async throws {
        try await TestServer.with { server in
            let body = Array(#"{"input": "a dog"}"#.utf8)
            let connection = try await TestConnection(port: server.port)
            await connection.send(
                Array(
                    "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: \(body.count)\r\nConnection: close\r\n\r\n"
                        .utf8))
            await connection.send(body)
            let all = String(decoding: await connection.rest(), as: UTF8.self)
            #expect(all.hasPrefix("HTTP/1.1 100 ") && all.contains("HTTP/1.1 200 "))
        }
    }

    /// What nobody waits for any more is not computed; the server says when to come again.
    @Test func lateRequestsAreRefused() async throws {
        try await TestServer.with { server in
            let request = TestConnection.request(
                "POST", "/v1/embeddings", headers: [("X-Timeout-Ms", "1")], body: Array(#"{"input": "a dog"}"#.utf8))
            let connection = try await TestConnection(port: server.port)
            await connection.send(Array(request.dropLast(3)))
            // The time counts from the request's head, which the server has long before this is over.
            try await Task.sleep(for: .milliseconds(100))
            let answer = try await connection.exchange(Array(request.suffix(3)))
            #expect(answer.status == 503, "\(answer.text)")
            #expect(answer.json["error"]?["code"]?.string == "deadline_exceeded")
            #expect(answer["retry-after"].flatMap { Int($0) }.map { $0 >= 1 } == true)
        }
    }

    @Test func chunkedBodiesAreRead() async throws {
        try await TestServer.with { server in
            let connection = try await TestConnection(port: server.port)
            let text = #"{"input": "a dog"}"#
            var request = "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            for letter in text { request += "1\r\n\(letter)\r\n" }
            let answer = try await connection.exchange(Array((request + "0\r\n\r\n").utf8))
            #expect(answer.status == 200)
        }
    }

    /// A request that was accepted is answered, though the server is told to end meanwhile.
    @Test func endingAnswersWhatWasAccepted() async throws {
        try await TestServer.with(configure: { $0.drainDelay = .milliseconds(50) }) { server in
            let connection = try await TestConnection(port: server.port)
            let idle = try await TestConnection(port: server.port)
            let body = Array(#"{"input": "a dog"}"#.utf8)
            let request = TestConnection.request("POST", "/v1/embeddings", body: body)
            // The server has the head, and part of the body.
            await connection.send(Array(request.dropLast(4)))
            _ = try await idle.exchange(TestConnection.request("GET", "/health/live", body: nil))
            let stopping = Task { await server.stop() }
            // Closed because it carries no request: the server is ending by now.
            #expect(await idle.rest().isEmpty)
            await connection.send(Array(request.suffix(4)))
            let answer = try await connection.response()
            #expect(answer.status == 200, "\(answer.text)")
            #expect(answer["connection"] == "close")
            #expect(await connection.rest().isEmpty)
            await stopping.value
        }
    }

    @Test func reloadSwapsTheModel() async throws {
        try await withTemporaryFolder { folder in
            try TinyArtifact.write(.clip, to: folder, seed: 1, name: "model")
            try await TestServer.with(configure: { $0.models = [ModelArgument(folder: folder)] }) { server in
                func vector() async throws -> JSONValue? {
                    try await server.post("/v1/embeddings", ["input": "a dog"]).json["data"]?.elements?[0]["embedding"]
                }
                let before = try await vector()
                try TinyArtifact.write(.clip, to: folder, seed: 2, name: "model")
                let answer = try await server.post("/admin/reload", ["model": "model"])
                #expect(answer.status == 200, "\(answer.text)")
                let after = try await vector()
                #expect(before != nil && after != nil && before != after)
                // A folder that is broken changes nothing, and its error names no file.
                try Files.replace(folder + "/text.onnx", with: "broken")
                let refused = try await server.post("/admin/reload", ["model": "model"])
                #expect(refused.status == 409 && !refused.text.contains(folder))
                #expect(try await vector() == after)
                #expect(try await server.post("/admin/reload", ["model": "other"]).status == 404)
            }
        }
    }
}
