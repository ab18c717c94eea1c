import ConcordCore
import ConcordServer
import ConcordTestSupport
import Foundation
import Testing

@Suite struct HTTPKeyTests {
    /// Runs `body` against a server that asks for keys, with a key for each list of scopes.
    private func withKeys(
        _ scopes: [Set<APIKey.Scope>], limits: CallerLimits = CallerLimits(),
        _ body: (TestServer, [String]) async throws -> Void
    ) async throws {
        try await withTemporaryFolder { folder in
            let made = scopes.enumerated().map {
                APIKeys.makeKey(id: "caller-\($0.offset)", scopes: $0.element, limits: limits)
            }
            let path = folder + "/keys.json"
            try Files.replace(path, with: "[\(made.map { $0.entry }.joined(separator: ","))]")
            try await TestServer.with(configure: { $0.keys = path }) { server in
                try await body(server, made.map { $0.key })
            }
        }
    }

    private func bearer(_ key: String) -> [(String, String)] { [("Authorization", "Bearer \(key)")] }

    @Test func wrongKeysAreRefused() async throws {
        try await withKeys([[.embed]]) { server, keys in
            let key = keys[0]
            let wrong: [[(String, String)]] = [
                [], bearer(""), bearer("x"), bearer(key + "x"), bearer(String(key.dropLast())),
                bearer(key.uppercased()),
                [("Authorization", key)], [("Authorization", "Basic \(key)")], [("X-API-Key", "nonsense")],
                bearer(String(repeating: "k", count: 8000)),
            ]
            for headers in wrong {
                let answer = try await server.post("/v1/embeddings", ["input": "a dog"], headers: headers)
                #expect(answer.status == 401, "\(headers)")
                #expect(answer["www-authenticate"] == "Bearer")
                #expect(!answer.text.contains(key))
            }
            #expect(try await server.isAlive(bearer(key)))
            #expect(try await server.isAlive([("X-API-Key", key)]))
            #expect(!server.log.all.contains { $0.contains(key) })
            #expect(server.log.all.contains { $0.contains("caller=caller-0") })
            let metrics = try await server.get("/metrics", headers: bearer(key))
            #expect(metrics.status == 403)
        }
    }

    @Test func scopesAreKeptApart() async throws {
        try await withKeys([[.embed], [.caption], [.admin], [.metrics]]) { server, keys in
            let picture = try TestPictures.png()
            for (index, key) in keys.enumerated() {
                let embed = try await server.post("/v1/embeddings", ["input": "a dog"], headers: bearer(key))
                #expect(embed.status == (index == 0 ? 200 : 403))
                let caption = try await server.send(
                    "POST", "/generate_caption?max_tokens=2", headers: bearer(key), body: picture)
                #expect(caption.status == (index == 1 ? 200 : 403))
                let reload = try await server.post("/admin/reload", ["model": "none"], headers: bearer(key))
                #expect(reload.status == (index == 2 ? 404 : 403))
                for (path, status) in [("index", 200), ("models/none/load", 404), ("models/none/unload", 404)] {
                    let answer = try await server.post("/v2/repository/" + path, json: "{}", headers: bearer(key))
                    #expect(answer.status == (index == 2 ? status : 403), "\(path)")
                }
                let metrics = try await server.get("/metrics", headers: bearer(key))
                #expect(metrics.status == (index == 3 ? 200 : 403))
                #expect(try await server.get("/v1/models", headers: bearer(key)).status == 200)
            }
            #expect(try await server.get("/v1/models").status == 401)
            for path in ["/health/live", "/health/ready", "/v2/health/ready", "/", "/docs", "/openapi.json"] {
                #expect(try await server.get(path).status == 200, "\(path)")
            }
        }
    }

    @Test func quotasAreTheClientsFault() async throws {
        let limits = CallerLimits(itemsPerSecond: 0.001, burst: 3)
        try await withKeys([[.embed]], limits: limits) { server, keys in
            let first = try await server.post("/v1/embeddings", ["input": ["a", "b", "c"]], headers: bearer(keys[0]))
            #expect(first.status == 200, "\(first.text)")
            #expect(first["x-ratelimit-limit"] == "3" && first["x-ratelimit-remaining"] == "0")
            let second = try await server.post("/v1/embeddings", ["input": "a"], headers: bearer(keys[0]))
            #expect(second.status == 429)
            let seconds = try #require(second["retry-after"].flatMap { Int($0) })
            #expect((1...1000).contains(seconds))
            #expect(second.json["error"]?["code"]?.string == "rate_limit_exceeded")
        }
    }

    @Test func keysThatAreReplacedWhileTheServerRuns() async throws {
        try await withTemporaryFolder { folder in
            let (first, entry) = APIKeys.makeKey(id: "first", scopes: [.embed])
            let (second, other) = APIKeys.makeKey(id: "second", scopes: [.embed])
            let path = folder + "/keys.json"
            try Files.replace(path, with: "[\(entry)]")
            try await TestServer.with(configure: { $0.keys = path }) { server in
                try Files.replace(path, with: "[{\"id\": garbage")
                // The file is looked at every other second.
                var isTold = false
                for _ in 0..<1000 where !isTold {
                    try await Task.sleep(for: .milliseconds(20))
                    isTold = server.log.all.contains { $0.contains("keys not reloaded") }
                }
                #expect(isTold)
                #expect(try await server.isAlive(bearer(first)))
                try Files.replace(path, with: "[\(other)]")
                var isKnown = false
                for _ in 0..<1000 where !isKnown {
                    try await Task.sleep(for: .milliseconds(20))
                    isKnown = try await server.isAlive(bearer(second))
                }
                #expect(isKnown)
                let answer = try await server.post("/v1/embeddings", ["input": "a"], headers: bearer(first))
                #expect(answer.status == 401)
            }
        }
    }

    @Test func keysOfStrangeForms() async throws {
        try await withKeys([[.embed]]) { server, keys in
            let key = keys[0]
            for headers in [
                [("Authorization", "Bearer \(key)\u{0}")], [("Authorization", "Bearer \(key) \(key)")],
                [("Authorization", "Bearer, \(key)")], [("Authorization", "Bearer")], [("Authorization", "")],
                [("Authorization", "Bearer x"), ("X-API-Key", key)], [("X-API-Key", "Bearer \(key)")],
                [("X-API-Key", key), ("X-API-Key", "x")], [("Cookie", "key=\(key)")],
                [("Authorization", "Bearer \u{202E}\(key)")], [("Proxy-Authorization", "Bearer \(key)")],
            ] {
                let connection = try await TestConnection(port: server.port)
                let answer = try await connection.exchange(
                    TestConnection.request(
                        "POST", "/v1/embeddings", headers: headers + [("Connection", "close")],
                        body: Array(#"{"input": "a"}"#.utf8)))
                #expect(answer.status == 401 || answer.status == 400, "\(headers)")
                #expect(!answer.text.contains(key))
            }
            // Neither in the query: it would stand in logs of others.
            let query = try await server.post("/v1/embeddings?api_key=\(key)&key=\(key)", ["input": "a"])
            #expect(query.status == 401)
            #expect(try await server.isAlive([("Authorization", "bearer   \(key)  ")]))
            #expect(!server.log.all.contains { $0.contains(key) })
        }
    }

    @Test func othersThanThisMachineNeedKeys() throws {
        var configuration = ServerConfiguration()
        configuration.models = [ModelArgument(folder: "somewhere")]
        for host in ["127.0.0.1", "localhost", "::1", "127.1.2.3"] {
            configuration.host = host
            try configuration.validate()
        }
        for host in ["0.0.0.0", "::", "192.168.1.5", "example.com", "127.evil.example"] {
            configuration.host = host
            let error = #expect(throws: ConcordError.self) { try configuration.validate() }
            #expect(error?.message.contains("--keys") == true)
        }
        configuration.keys = "keys.json"
        try configuration.validate()
    }
}
