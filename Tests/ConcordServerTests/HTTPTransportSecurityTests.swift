import ConcordCore
import ConcordServer
import ConcordTestSupport
import Foundation
import Testing

/// What strangers may do below the content of a request: bytes that are no HTTP, floods, endless and slow ones.
@Suite struct HTTPTransportSecurityTests {
    private func raw(_ server: TestServer, _ text: String) async throws -> String {
        let connection = try await TestConnection(port: server.port)
        defer { connection.close() }
        await connection.send(Array(text.utf8))
        return String(decoding: await connection.rest(), as: UTF8.self)
    }

    @Test func bytesThatAreNoHTTP() async throws {
        try await TestServer.attacked(configure: { $0.idleTimeout = .milliseconds(300) }) { server in
            for text in [
                "\r\n\r\n\r\n", "nonsense\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: localhost\r\nBad Header\r\n\r\n", "GET / HTTP/1.1\r\n: no name\r\n\r\n",
                "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
                "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
                "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999999\r\n\r\n",
                "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
                "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            ] {
                let answer = try await raw(server, text)
                #expect(!answer.hasPrefix("HTTP/1.1 5") && !answer.hasPrefix("HTTP/1.1 2"), "\(text): \(answer)")
            }
        }
    }

    @Test func headerFloodsAreRefused() async throws {
        try await TestServer.attacked { server in
            let many = (0..<100_000).map { "X-\($0): y\r\n" }.joined()
            let long = "X: " + String(repeating: "y", count: 1_000_000) + "\r\n"
            let path = "/" + String(repeating: "a", count: 200_000)
            for text in [
                "GET /v2 HTTP/1.1\r\nHost: localhost\r\n\(many)\r\n",
                "GET /v2 HTTP/1.1\r\nHost: localhost\r\n\(long)\r\n",
                "GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n",
            ] {
                let answer = try await raw(server, text)
                // The server may close before all is sent, and then its answer is lost.
                #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 4"), "\(answer.prefix(80))")
            }
        }
    }

    @Test func lineBreaksDoNotGetIntoAnswers() async throws {
        try await TestServer.attacked { server in
            for path in ["/v1/models/a%0d%0aX-Evil:%20yes", "/v1/models/%0a"] {
                let answer = try await server.get(path)
                #expect(answer["x-evil"] == nil && answer.status == 404)
            }
            let answer = try await server.post(
                "/v2/models/tiny-coca/infer",
                [
                    "id": "a\r\nX-Evil: yes",
                    "inputs": [["name": "text", "shape": [1], "datatype": "BYTES", "data": ["a dog"]]],
                ])
            #expect(answer["x-evil"] == nil)
        }
    }

    @Test func announcedBodiesThatAreTooLargeAreRefusedAtOnce() async throws {
        try await TestServer.attacked(configure: { $0.bodyBytes = 100_000 }) { server in
            let connection = try await TestConnection(port: server.port)
            let answer = try await connection.exchange(
                Array("POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n".utf8))
            #expect(answer.status == 413 && answer["connection"] == "close")
            #expect(answer.json["error"]?["code"]?.string == "too_large")
            let small = try await server.post("/admin/reload", json: String(repeating: " ", count: 70_000))
            #expect(small.status == 413)
        }
    }

    @Test func endlessBodiesAreRefusedAtTheLimit() async throws {
        try await TestServer.attacked(configure: { $0.bodyBytes = 200_000 }) { server in
            for path in ["/v1/embeddings", "/generate_caption", "/nowhere", "/health/live"] {
                let connection = try await TestConnection(port: server.port)
                await connection.send(
                    Array("POST \(path) HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".utf8))
                let chunk = Array("10000\r\n".utf8) + [UInt8](repeating: 0x20, count: 65_536) + Array("\r\n".utf8)
                // The server stops to read; whether the answer is still there to be read depends on the moment.
                var count = 0
                while count < 100_000, await connection.send(chunk) { count += 1 }
                #expect(count < 100_000, "\(path)")
            }
            // It was this body's own limit, and not that of all bodies together.
            for path in ["/v1/embeddings", "/generate_caption"] {
                #expect(server.log.all.contains { $0.contains("route=\(path) ") && $0.contains(" status=413") })
            }
        }
    }

    @Test func thousandsOfTinyChunks() async throws {
        try await TestServer.attacked { server in
            let connection = try await TestConnection(port: server.port)
            let text = #"{"input": "\#(String(repeating: "a dog ", count: 5000))"}"#
            var request = Array(
                "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
            for byte in text.utf8 { request += Array("1\r\n".utf8) + [byte] + Array("\r\n".utf8) }
            let answer = try await connection.exchange(request + Array("0\r\n\r\n".utf8))
            #expect(answer.status == 200, "\(answer.text)")
        }
    }

    @Test func slowHeadersAreGivenUp() async throws {
        try await TestServer.attacked(configure: { $0.idleTimeout = .milliseconds(300) }) { server in
            let connection = try await TestConnection(port: server.port)
            // A byte now and then keeps the connection busy, but brings no request.
            let sending = Task {
                await connection.send(Array("GET /v2 HTTP/1.1\r\nHost: localhost\r\n".utf8))
                while await connection.send(Array("X: y\r\n".utf8)) { try? await Task.sleep(for: .milliseconds(20)) }
            }
            // Ends only when the server has closed.
            await sending.value
        }
    }

    @Test func slowBodiesAreGivenUp() async throws {
        try await TestServer.attacked(configure: { $0.bodyTimeout = .milliseconds(300) }) { server in
            for path in ["/v1/embeddings", "/nowhere"] {
                let connection = try await TestConnection(port: server.port)
                let sending = Task {
                    await connection.send(
                        Array("POST \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n".utf8))
                    while await connection.send([0x20]) { try? await Task.sleep(for: .milliseconds(20)) }
                }
                await sending.value
            }
            let silent = try await TestConnection(port: server.port)
            let answer = try await silent.exchange(
                Array("POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n".utf8))
            #expect(answer.status == 408 && answer["connection"] == "close")
        }
    }

    @Test func answersThatNobodyReadsAreGivenUp() async throws {
        // More than the system keeps for a reader: 256 pictures with 2048 labels each.
        let picture = JSONValue.string(TestPictures.dataURI(try TestPictures.png(width: 1, height: 1)))
        let body: JSONValue = [
            "images": .array(Array(repeating: picture, count: 256)),
            "labels": .array((0..<2048).map { .string("an apple that is number \($0)") }),
        ]
        let request = TestConnection.request("POST", "/classify", body: Array(body.text().utf8))
        // A connection is not idle because its answer lies in the server's memory.
        let times = { (configuration: inout ServerConfiguration) in
            (configuration.bodyTimeout, configuration.idleTimeout) = (.milliseconds(500), .seconds(3600))
        }
        try await TestServer.attacked(configure: times) { server in
            let connection = try await TestConnection(port: server.port)
            await connection.send(request)
            // Line breaks before a next request mean nothing; they come back when the server has closed.
            var count = 0
            while count < 1500, await connection.send(Array("\r\n".utf8)) {
                count += 1
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(count < 1500)
            // A reader, however slow it begins, gets all.
            let answer = try await server.send("POST", "/classify", body: Array(body.text().utf8))
            #expect(answer.status == 200 && answer.json["results"]?.elements?.count == 256)
        }
    }

    @Test func clientsThatLeaveHarmNobody() async throws {
        let body = Array(#"{"input": ["a dog", "an apple", "two cats sleep on a red table"]}"#.utf8)
        let request = TestConnection.request("POST", "/v1/embeddings", body: body)
        try await TestServer.attacked { server in
            for count in [10, 60, request.count - 5, request.count, request.count, request.count] {
                let connection = try await TestConnection(port: server.port)
                await connection.send(Array(request.prefix(count)))
                connection.close()
            }
        }
    }

    @Test func connectionsHaveANumber() async throws {
        try await TestServer.attacked(configure: { $0.connections = 4 }) { server in
            var held: [TestConnection] = []
            for _ in 0..<3 { held.append(try await TestConnection(port: server.port)) }
            #expect(try await server.isAlive())
            // More than there are places for wait, and are answered when a place is free.
            for _ in 0..<6 { held.append(try await TestConnection(port: server.port)) }
            for connection in held { connection.close() }
        }
    }

    @Test func badHeadersOfOurOwn() async throws {
        try await TestServer.attacked { server in
            for header in [
                ("X-Priority", "urgent"), ("X-Timeout-Ms", "-1"), ("X-Timeout-Ms", "soon"), ("X-Timeout-Ms", "1e9"),
            ] {
                let answer = try await server.post("/v1/embeddings", ["input": "a"], headers: [header])
                #expect(answer.status == 400, "\(header)")
            }
            let bulk = try await server.post("/v1/embeddings", ["input": "a"], headers: [("X-Priority", "bulk")])
            #expect(bulk.status == 200)
        }
    }
}
