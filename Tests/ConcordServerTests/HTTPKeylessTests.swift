import ConcordCore
import ConcordServer
import Testing

/// Pages of the web that a browser on the server's machine shows, and a server that asks for no key.
@Suite struct HTTPKeylessTests {
    private func ask(_ server: TestServer, host: String, origin: String? = nil) async throws -> TestResponse {
        let headers = [("Host", host)] + (origin.map { [("Origin", $0)] } ?? [])
        return try await server.post("/v1/embeddings", ["input": "a dog"], headers: headers)
    }

    @Test func namesThatLeadHereAreRefused() async throws {
        try await TestServer.with { server in
            let own = [
                "localhost", "LOCALHOST:80", "app.localhost:8080", "127.0.0.1:1", "10.1.2.3", "[::1]:8080", "[::1]",
            ]
            for host in own {
                let answer = try await ask(server, host: host)
                #expect(answer.status == 200, "\(host)")
            }
            for host in [
                "evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "notlocalhost",
            ] {
                let answer = try await ask(server, host: host)
                #expect(answer.status == 403 && answer.text.contains("host_not_allowed"), "\(host): \(answer.text)")
                #expect(!answer.text.contains("evil"))
                let page = try await server.get("/", headers: [("Host", host)])
                #expect(page.status == 403)
            }
        }
    }

    @Test func pagesOfOtherHostsChangeNothing() async throws {
        try await TestServer.with(configure: { $0.crossOrigins = ["https://friend.example"] }) { server in
            for origin in ["https://evil.example", "http://localhost:81", "null", ""] {
                let answer = try await ask(server, host: "localhost:80", origin: origin)
                #expect(answer.status == 403 && answer.text.contains("origin_not_allowed"), "\(origin)")
                // As a form of a page is sent, without a question first.
                let form = try await server.send(
                    "POST", "/admin/reload", headers: [("Origin", origin), ("Content-Type", "text/plain")],
                    body: Array(#"{"model": "tiny"}"#.utf8))
                #expect(form.status == 403, "\(origin)")
            }
            for origin in ["http://localhost:80", "https://friend.example"] {
                let answer = try await ask(server, host: "localhost:80", origin: origin)
                #expect(answer.status == 200, "\(origin)")
            }
        }
    }

    @Test func namesOfTheServerAreAllowed() async throws {
        try await TestServer.with(configure: { $0.hostNames = ["Models.example.com"] }) { server in
            let own = try await ask(server, host: "models.example.com")
            let other = try await ask(server, host: "other.example.com")
            #expect(own.status == 200 && other.status == 403)
        }
        try await TestServer.with(configure: { $0.hostNames = ["*"] }) { server in
            let other = try await ask(server, host: "other.example.com")
            #expect(other.status == 200)
        }
    }
}
