import ConcordCore
import ConcordServer
import ConcordTestSupport
import Foundation
import Testing

/// Old clients, and what HTTP asks of the head of every request.
@Suite struct HTTPVersionTests {
    private let body = #"{"input": "a dog"}"#

    private func raw(_ server: TestServer, _ text: String, _ body: [UInt8] = []) async throws -> String {
        let connection = try await TestConnection(port: server.port)
        defer { connection.close() }
        await connection.send(Array(text.utf8) + body)
        return String(decoding: await connection.rest(), as: UTF8.self)
    }

    /// The answer ends with the connection, also where the client would keep it.
    @Test func oldClientsGetAnAnswerThatEndsWithTheConnection() async throws {
        let picture = try TestPictures.png()
        try await TestServer.attacked { server in
            for head in ["", "Host: localhost\r\n", "Host: localhost\r\nConnection: keep-alive\r\n"] {
                let get = try await raw(server, "GET /health/live HTTP/1.0\r\n\(head)\r\n")
                let post = try await raw(
                    server,
                    "POST /v1/embeddings HTTP/1.0\r\n\(head)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
                let none = try await raw(server, "GET /nowhere HTTP/1.0\r\n\(head)\r\n")
                for (answer, status) in [(get, "200"), (post, "200"), (none, "404")] {
                    #expect(answer.hasPrefix("HTTP/1.0 \(status)"), "\(answer.prefix(300))")
                    let lines = answer.lowercased()
                    #expect(lines.contains("\r\nconnection: close\r\n") && !lines.contains("transfer-encoding"))
                    #expect(lines.contains("\r\ncontent-length: "))
                }
            }
            // An answer of no known length has no chunks, which an old client would read as part of it.
            let stream = try await raw(
                server,
                "POST /generate_caption?max_tokens=4&stream=true HTTP/1.0\r\nContent-Length: \(picture.count)\r\n\r\n",
                picture)
            #expect(stream.hasPrefix("HTTP/1.0 200"), "\(stream.prefix(300))")
            #expect(!stream.lowercased().contains("chunked"))
            let events = try #require(stream.components(separatedBy: "\r\n\r\n").last)
            #expect(!events.contains("\r\n") && events.hasSuffix("\n\n"))
            for line in events.split(separator: "\n") {
                #expect(line.hasPrefix("data: ") || line.hasPrefix("event: "), "\(line)")
            }
            // Nobody invites an old client to send its body.
            let expected = try await raw(
                server,
                "POST /v1/embeddings HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            )
            #expect(expected.hasPrefix("HTTP/1.0 200"), "\(expected.prefix(300))")
        }
    }

    @Test func newClientsStillKeepTheirConnections() async throws {
        try await TestServer.with { server in
            let connection = try await TestConnection(port: server.port)
            let request = TestConnection.request("POST", "/v1/embeddings", body: Array(body.utf8))
            for _ in 0..<2 {
                let answer = try await connection.exchange(request)
                #expect(answer.status == 200 && answer["connection"] == nil)
            }
            // An old request behind new ones on the same connection ends it, and is answered in its turn.
            await connection.send(request + Array("GET /v2 HTTP/1.0\r\n\r\n".utf8))
            let rest = String(decoding: await connection.rest(), as: UTF8.self)
            #expect(rest.hasPrefix("HTTP/1.1 200"), "\(rest)")
            let last = rest.components(separatedBy: "HTTP/1.0 200").last
            #expect(last?.contains("\"name\"") == true && last?.contains("embedding") == false, "\(rest)")
        }
    }

    @Test func everyRequestNamesItsHostOnce() async throws {
        try await TestServer.attacked { server in
            for (hosts, isGood) in [
                ("Host: localhost\r\n", true), ("host: localhost:80\r\n", true), ("HOST: 127.0.0.1:8080\r\n", true),
                ("Host: [::1]:80\r\n", true), ("Host: [::1]\r\n", true), ("Host:\r\n", true),
                ("Host: localhost:\r\n", true),
                ("", false), ("Host: localhost\r\nHost: localhost\r\n", false),
                ("Host: localhost\r\nX: y\r\nhost: evil.example\r\n", false), ("Host: localhost, localhost\r\n", false),
                ("Host: local host\r\n", false), ("Host: http://localhost\r\n", false),
                ("Host: a@localhost\r\n", false),
                ("Host: localhost:80:80\r\n", false), ("Host: localhost:x\r\n", false), ("Host: localhost/\r\n", false),
                ("Host: [::1\r\n", false), ("Host: [::1]x\r\n", false), ("Host: [::1]:x\r\n", false),
                ("Host: [gg]\r\n", false), ("Host: l\u{F6}calhost\r\n", false),
            ] {
                for target in ["GET /v1/models", "GET /v2", "GET /nowhere"] {
                    let answer = try await raw(server, "\(target) HTTP/1.1\r\n\(hosts)Connection: close\r\n\r\n")
                    let status = !isGood ? "400" : target.hasSuffix("nowhere") ? "404" : "200"
                    #expect(answer.hasPrefix("HTTP/1.1 \(status)"), "\(hosts) \(target): \(answer.prefix(200))")
                    if !isGood { #expect(answer.contains("Host"), "\(hosts): \(answer)") }
                }
            }
            // In the shape of the family that the address is of.
            let kserve = try await raw(server, "GET /v2/health/live HTTP/1.1\r\nConnection: close\r\n\r\n")
            let json = try JSONValue(parsing: try #require(kserve.components(separatedBy: "\r\n\r\n").last))
            #expect(json["error"]?.string?.hasPrefix("The request must") == true, "\(kserve)")
        }
    }

    /// Also where figures are asked for on a port of their own, which answers to all names.
    @Test func theMetricsPortAsksForAHostToo() async throws {
        try await TestServer.with(configure: { $0.metricsPort = 0 }) { server in
            let port = try #require(server.metricsPort)
            for (text, status) in [
                ("GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 400"),
                ("GET /metrics HTTP/1.0\r\n\r\n", "HTTP/1.0 200"),
                ("GET /metrics HTTP/1.1\r\nHost: any.example\r\nConnection: close\r\n\r\n", "HTTP/1.1 200"),
            ] {
                let connection = try await TestConnection(port: port)
                defer { connection.close() }
                await connection.send(Array(text.utf8))
                let answer = String(decoding: await connection.rest(), as: UTF8.self)
                #expect(answer.hasPrefix(status), "\(answer.prefix(200))")
            }
        }
    }
}
