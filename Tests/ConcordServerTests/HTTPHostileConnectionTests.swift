import ConcordCore
import ConcordServer
import ConcordTestSupport
import Foundation
import Testing

/// What HTTP allows and few clients send, and what two readers of it could take for different things.
@Suite struct HTTPHostileConnectionTests {
    private func raw(_ server: TestServer, _ text: String) async throws -> String {
        let connection = try await TestConnection(port: server.port)
        defer { connection.close() }
        await connection.send(Array(text.utf8))
        return String(decoding: await connection.rest(), as: UTF8.self)
    }

    private func count(_ part: String, in text: String) -> Int { text.components(separatedBy: part).count - 1 }

    /// Bytes of a body that another reader would take for a request of its own are no request here.
    @Test func requestsInsideOthersAreNotAnswered() async throws {
        let inner = "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
        let chunked = "0\r\n\r\n"
        try await TestServer.attacked(configure: { $0.idleTimeout = .milliseconds(300) }) { server in
            for headers in [
                "Content-Length: \(chunked.utf8.count)\r\nTransfer-Encoding: chunked\r\n",
                "Transfer-Encoding: chunked\r\nContent-Length: \(chunked.utf8.count + inner.utf8.count)\r\n",
                "Content-Length: 0\r\nContent-Length: \(inner.utf8.count)\r\n",
                "Content-Length: \(inner.utf8.count)\r\nContent-Length: 0\r\n", "Content-Length: 0, 5\r\n",
                "Content-Length: +5\r\n", "Content-Length: 0x5\r\n", "Content-Length:\r\n", "Content-Length : 5\r\n",
                "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding: chunked, identity\r\n",
                "Transfer-Encoding: identity\r\n", "Transfer-Encoding : chunked\r\n",
                "X: a\r\n Transfer-Encoding: chunked\r\n", "X: a\nTransfer-Encoding: chunked\r\n",
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            ] {
                let answer = try await raw(
                    server, "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\n\(headers)\r\n\(chunked)\(inner)")
                #expect(count("HTTP/1.1 2", in: answer) == 0, "\(headers): \(answer)")
                #expect(count("HTTP/1.1 5", in: answer) == 0, "\(headers): \(answer)")
                #expect(count("\"object\": \"list\"", in: answer) == 0, "\(headers): \(answer)")
            }
        }
    }

    @Test func methodsAndTargetsOfAllKinds() async throws {
        try await TestServer.attacked(configure: { $0.idleTimeout = .milliseconds(300) }) { server in
            for (line, statuses) in [
                ("OPTIONS * HTTP/1.1", ["400", "404", "405"]), ("OPTIONS /v1/embeddings HTTP/1.1", ["405"]),
                ("TRACE / HTTP/1.1", ["400", "405"]), ("CONNECT 127.0.0.1:22 HTTP/1.1", ["400", "404", "405"]),
                ("PROPFIND / HTTP/1.1", ["400", "405"]), ("FOO / HTTP/1.1", ["400", "405"]),
                ("get / HTTP/1.1", ["400", "405"]), ("DELETE /v1/models/tiny-coca HTTP/1.1", ["405"]),
                ("PUT /v1/embeddings HTTP/1.1", ["405"]), ("HEAD /v1/embeddings HTTP/1.1", ["405"]),
                ("HEAD /nowhere HTTP/1.1", ["404"]), ("GET http://evil.example/v2 HTTP/1.1", ["200", "400", "404"]),
                ("GET file:///etc/passwd HTTP/1.1", ["400", "404"]), ("GET v2 HTTP/1.1", ["400", "404"]),
                ("GET /v2?%ff=%zz&&=&=a&a HTTP/1.1", ["200", "400"]), ("GET /%ff%fe HTTP/1.1", ["400", "404"]),
                ("GET /v2#a HTTP/1.1", ["200", "400", "404"]), ("GET ? HTTP/1.1", ["400", "404"]),
                ("GET /\u{E4}\u{1F600} HTTP/1.1", ["400", "404"]),
            ] {
                let answer = try await raw(server, line + "\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                // Closed without an answer is a refusal, too.
                #expect(
                    answer.isEmpty || statuses.contains { answer.hasPrefix("HTTP/1.1 " + $0) }, "\(line): \(answer)")
                #expect(!answer.contains("root:"))
            }
        }
    }

    @Test func olderVersions() async throws {
        try await TestServer.attacked { server in
            let body = #"{"input": "a dog"}"#
            for head in ["", "Host: localhost\r\n", "Connection: keep-alive\r\n"] {
                let connection = try await TestConnection(port: server.port)
                defer { connection.close() }
                let request = "POST /v1/embeddings HTTP/1.0\r\n\(head)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
                #expect(try await connection.exchange(Array(request.utf8)).status == 200)
            }
        }
        try await TestServer.attacked(configure: { $0.idleTimeout = .milliseconds(300) }) { server in
            for text in ["GET /v2\r\n\r\n", "GET /v2 HTTP/0.9\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
                let answer = try await raw(server, text)
                #expect(!answer.contains(" 200 ") && !answer.contains(" 500 "), "\(text): \(answer)")
            }
        }
    }

    @Test func connectionsGoOnAfterRefusals() async throws {
        try await TestServer.attacked { server in
            let connection = try await TestConnection(port: server.port)
            let good = TestConnection.request("POST", "/v1/embeddings", body: Array(#"{"input": "a dog"}"#.utf8))
            for (path, body, status) in [
                ("/v1/embeddings", "{", 400), ("/v1/embeddings", #"{"input": "a", "model": "none"}"#, 404),
                ("/generate_caption", "nonsense", 422), ("/nowhere", "{}", 404), ("/health/live", "{}", 405),
            ] {
                let bad = try await connection.exchange(
                    TestConnection.request("POST", path, body: Array(body.utf8)))
                #expect(bad.status == status, "\(path) \(bad.text)")
                expectDiscreet(bad, path)
                let answer = try await connection.exchange(good)
                #expect(answer.status == 200, "\(path) \(answer.text)")
            }
        }
    }

    @Test func theRestOfABodyIsForgottenAfterItsAnswer() async throws {
        try await TestServer.attacked { server in
            let connection = try await TestConnection(port: server.port)
            let refused = TestConnection.request("POST", "/nowhere", body: [UInt8](repeating: 0x7B, count: 300_000))
            #expect(try await connection.exchange(Array(refused.prefix(1000))).status == 404)
            await connection.send(Array(refused.dropFirst(1000)))
            let good = TestConnection.request("POST", "/v1/embeddings", body: Array(#"{"input": "a dog"}"#.utf8))
            #expect(try await connection.exchange(good).status == 200)
        }
    }

    /// The answer to a request is not one to the request behind it, whose body is still on its way.
    @Test func aBodyBehindAnotherRequestMayTakeItsTime() async throws {
        try await TestServer.attacked { server in
            let connection = try await TestConnection(port: server.port)
            let first = TestConnection.request("POST", "/v1/embeddings", body: Array("{".utf8))
            let second = TestConnection.request("POST", "/v1/embeddings", body: Array(#"{"input": "a dog"}"#.utf8))
            #expect(try await connection.exchange(first + second.dropLast(10)).status == 400)
            // Longer than the rest of an answered body is waited for.
            try await Task.sleep(for: .milliseconds(1500))
            await connection.send(Array(second.suffix(10)))
            #expect(try await connection.response().status == 200)
        }
    }

    @Test func requestsAtOnceAreAnsweredInOrder() async throws {
        try await TestServer.attacked { server in
            func request(_ id: Int) -> String {
                let body = id % 2 == 0 ? #"{"input": "a dog"}"# : "{"
                return "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: number-\(id)\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\(id == 19 ? "Connection: close\r\n" : "")\r\n\(body)"
            }
            let answer = try await raw(server, (0..<20).map(request).joined())
            let numbers = answer.split(separator: "number-").dropFirst().compactMap {
                Int($0.prefix { $0.isNumber })
            }
            #expect(numbers == Array(0..<20))
            #expect(count("HTTP/1.1 200 ", in: answer) == 10 && count("HTTP/1.1 400 ", in: answer) == 10)
        }
    }

    @Test func bodiesThatWillBeRefusedAreNotInvited() async throws {
        try await TestServer.attacked(configure: { $0.bodyBytes = 100_000 }) { server in
            let head = "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
            let large = try await raw(server, head + "Content-Length: 1000000\r\n\r\n")
            #expect(large.hasPrefix("HTTP/1.1 413 "), "\(large)")
            let body = #"{"input": "a dog"}"#
            for expectation in ["200-ok", "100-continue, 100-continue", ""] {
                let answer = try await raw(
                    server,
                    "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nExpect: \(expectation)\r\nConnection: close\r\n"
                        + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
                #expect(answer.hasPrefix("HTTP/1.1 200 ") || answer.hasPrefix("HTTP/1.1 4"), "\(answer)")
            }
        }
    }

    @Test func clientsThatLeaveAStreamHarmNobody() async throws {
        let bare = JSONValue.string(TestPictures.base64(try TestPictures.png()))
        let body: JSONValue = ["image": bare, "stream": true, "max_tokens": 18]
        let request = TestConnection.request("POST", "/generate_caption", body: Array(body.text().utf8))
        try await TestServer.attacked { server in
            for _ in 0..<40 {
                let connection = try await TestConnection(port: server.port)
                await connection.send(request)
                _ = await connection.some()
                connection.close()
            }
            // Their places in the queue are free again.
            let stream = try await server.post("/generate_caption", body)
            #expect(stream.status == 200 && stream.events.count > 1, "\(stream.text)")
        }
    }
}
