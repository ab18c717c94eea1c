import ConcordCore
import ConcordServer
import ConcordTestSupport
import Testing

/// Bodies that come compressed.
@Suite struct HTTPCompressionTests {
    /// `{"input": "a dog"}`, by Python's gzip and zlib.
    private static let gzip: [UInt8] = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 202, 204, 43, 40, 45, 81, 178, 82, 80, 74, 84, 72, 201, 79, 87, 170,
        5, 0, 20, 179, 51, 241, 18, 0, 0, 0,
    ]
    private static let zlib: [UInt8] = [
        120, 156, 171, 86, 202, 204, 43, 40, 45, 81, 178, 82, 80, 74, 84, 72, 201, 79, 87, 170, 5, 0, 56, 116, 5, 198,
    ]

    /// A member of gzip's format whose content is not compressed.
    private static func stored(_ bytes: [UInt8]) -> [UInt8] {
        func little(_ value: UInt32, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(value >> (8 * $0) & 255) } }
        var output: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]
        var rest = bytes[...]
        repeat {
            let part = rest.prefix(65_535), length = UInt32(part.count)
            rest = rest.dropFirst(part.count)
            output += [rest.isEmpty ? 1 : 0] + little(length, 2) + little(~length & 0xFFFF, 2) + part
        } while !rest.isEmpty
        return output + little(TestPictures.checksum(bytes), 4) + little(UInt32(bytes.count), 4)
    }

    private func send(
        _ server: TestServer, _ body: [UInt8], _ coding: String, _ path: String = "/v1/embeddings",
        type: String = "application/json"
    ) async throws -> TestResponse {
        try await server.send(
            "POST", path, headers: [("Content-Type", type), ("Content-Encoding", coding)], body: body)
    }

    @Test func compressedBodiesAreReadAsTheyWouldBe() async throws {
        let picture = try TestPictures.png()
        var form = TestForm()
        form.add("file", file: picture)
        form.add("text", "a dog")
        let json = Array(#"{"input": "a dog"}"#.utf8)
        try await TestServer.with { server in
            let expected = try await server.post("/v1/embeddings", ["input": "a dog"])
            for (body, coding) in [
                (Self.gzip, "gzip"), (Self.gzip, "GZIP"), (Self.gzip, "x-gzip"), (Self.zlib, "deflate"),
                (Self.stored(json), "gzip"), (json, "identity"),
                // Several members, one of them empty.
                (Self.stored(Array(json.prefix(5))) + Self.stored([]) + Self.stored(Array(json.dropFirst(5))), "gzip"),
            ] {
                let answer = try await send(server, body, coding)
                #expect(
                    answer.status == 200 && answer.json["data"] == expected.json["data"], "\(coding): \(answer.text)")
            }
            let parts = try await send(server, Self.stored(form.bytes), "gzip", type: form.contentType)
            #expect(parts.json["data"]?.elements?.count == 2, "\(parts.text.prefix(200))")
            let raw = try await send(
                server, Self.stored(picture), "gzip", "/generate_caption?max_tokens=2", type: "image/png")
            #expect(raw.status == 200, "\(raw.text)")
            // The length of KServe's JSON is that of what was compressed.
            let tail = withUnsafeBytes(of: UInt32(2).littleEndian) { Array($0) } + Array("ab".utf8)
            let head =
                #"{"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 6}}]}"#
            let infer = try await server.send(
                "POST", "/v2/models/tiny-coca/infer",
                headers: [
                    ("Content-Encoding", "gzip"), ("Inference-Header-Content-Length", String(head.utf8.count)),
                ], body: Self.stored(Array(head.utf8) + tail))
            #expect(infer.status == 200, "\(infer.text)")
        }
    }

    @Test func otherCodingsAreRefused() async throws {
        try await TestServer.attacked { server in
            for coding in ["br", "zstd", "gzip, gzip", "gzip, identity", "compress", "", "gzip;q=1"] {
                let answer = try await send(server, Self.gzip, coding)
                #expect(answer.status == 415 && answer["accept-encoding"] == "gzip, deflate", "\(coding)")
            }
        }
    }

    @Test func damagedBodiesAreTheClientsFault() async throws {
        let whole = Self.gzip
        var bodies: [[UInt8]] = [
            [], [0x1F], Array(#"{"input": "a dog"}"#.utf8), whole + [0], whole + Array("more".utf8),
            whole + [0x1F, 0x8B], Self.zlib + Self.zlib, [UInt8](repeating: 0, count: 1000),
        ]
        for count in 1..<whole.count { bodies.append(Array(whole.prefix(count))) }
        // Bytes that say something: the format's mark, the method, reserved flags, the content, its checksum and length.
        for index in [0, 1, 2, 3] + Array(10..<whole.count) {
            var damaged = whole
            damaged[index] ^= 0xFF
            bodies.append(damaged)
        }
        try await TestServer.attacked { server in
            for body in bodies {
                for coding in ["gzip", "deflate"] {
                    let answer = try await send(server, body, coding)
                    #expect(answer.status == 400, "\(coding) \(body.count): \(answer.text)")
                    expectDiscreet(answer)
                }
            }
        }
    }

    /// Few bytes that become many are refused before they have.
    @Test func bombsAreRefused() async throws {
        try await TestServer.attacked(configure: { $0.bodyBytes = 8 << 20 }) { server in
            // 160 to 1, and more than the first MiB.
            let ratio = try await send(server, TestPictures.zeros(2 << 20), "deflate")
            #expect(ratio.status == 413 && ratio.text.contains("decompressed"), "\(ratio.text)")
            // Within the first MiB the ratio does not matter; zeros are no JSON.
            let small = try await send(server, TestPictures.zeros(1 << 20), "deflate")
            #expect(small.status == 400 && small.text.contains("invalid_json"), "\(small.text)")
            // More than a body may have.
            let large = try await send(server, TestPictures.zeros(200 << 20), "deflate")
            #expect(large.status == 413, "\(large.text)")
            // A bomb in a bomb is not opened twice.
            let twice = try await send(server, Self.stored(TestPictures.zeros(1 << 20)), "gzip")
            #expect(twice.status == 400)
        }
    }

    /// What was decompressed counts among the bytes of all bodies, and is given back.
    @Test func decompressedBytesAreOfTheSharedBudget() async throws {
        try await TestServer.attacked(configure: { $0.bodiesBytes = 300_000 }) { server in
            for _ in 0..<3 {
                let refused = try await send(server, TestPictures.zeros(600_000), "deflate")
                #expect(refused.status == 503 && refused["retry-after"] != nil, "\(refused.text)")
                #expect(try await send(server, Self.gzip, "gzip").status == 200)
            }
        }
    }
}
