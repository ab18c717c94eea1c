import ConcordCore
import ConcordServer
import ConcordTestSupport
import Testing

@Suite struct InferenceRouteTests {
    private let path = "/v2/models/tiny-coca/infer"

    @Test func metadataAndHealth() async throws {
        try await TestServer.with { server in
            #expect(try await server.get("/v2").json["name"]?.string == "concord")
            #expect(try await server.get("/v2/health/live").json["live"]?.bool == true)
            let ready = try await server.get("/v2/health/ready")
            #expect(ready.status == 200 && ready.json["ready"]?.bool == true && ready.json["live"]?.bool == true)
            for path in ["/v2/models/tiny-coca", "/v2/models/tiny-coca/versions/1"] {
                let answer = try await server.get(path)
                #expect(answer.json["inputs"]?.elements?.map { $0["name"]?.string } == ["image", "text"])
                #expect(try await server.get(path + "/ready").status == 200)
            }
            let unknown = try await server.get("/v2/models/other")
            #expect(unknown.status == 404 && unknown.json["error"]?.string != nil)
            #expect(try await server.get("/v2/models/tiny-coca/versions/2").status == 404)
        }
    }

    @Test func textsAndPicturesInJSON() async throws {
        try await TestServer.with { server in
            let texts = try await server.post(
                path,
                [
                    "id": "abc",
                    "inputs": [["name": "text", "shape": [2], "datatype": "BYTES", "data": ["a dog", "an apple"]]],
                ])
            #expect(texts.status == 200, "\(texts.text)")
            #expect(texts.json["id"]?.string == "abc")
            let output = try #require(texts.json["outputs"]?.elements?.first)
            #expect(output["shape"]?.elements?.map(\.int) == [2, TinyArtifact.embeddingWidth])
            #expect(output["data"]?.elements?.count == 2 * TinyArtifact.embeddingWidth)

            let picture = JSONValue.string(TestPictures.base64(try TestPictures.png()))
            let both = try await server.post(
                path,
                [
                    "inputs": [["name": "image", "shape": [1], "datatype": "BYTES", "data": [picture]]],
                    "outputs": [["name": "caption"], ["name": "embedding"]],
                ])
            #expect(both.json["outputs"]?.elements?.map { $0["name"]?.string } == ["embedding", "caption"])
        }
    }

    @Test func bytesAfterTheJSON() async throws {
        let pictures = try (0..<3).map { try TestPictures.png(seed: $0) }
        try await TestServer.with { server in
            let tail = pictures.flatMap { picture -> [UInt8] in
                let length = withUnsafeBytes(of: UInt32(picture.count).littleEndian) { Array($0) }
                return length + picture
            }
            let head: JSONValue = [
                "inputs": [
                    [
                        "name": "image", "shape": [3], "datatype": "BYTES",
                        "parameters": ["binary_data_size": .integer(tail.count)],
                    ]
                ],
                "parameters": ["binary_data_output": true],
            ]
            let json = Array(head.text().utf8)
            let answer = try await server.send(
                "POST", path, headers: [("Inference-Header-Content-Length", String(json.count))], body: json + tail)
            #expect(answer.status == 200, "\(answer.text)")
            let length = try #require(answer["inference-header-content-length"].flatMap { Int($0) })
            let reply = try JSONValue(parsing: answer.body[..<length], source: "the answer")
            let size = 3 * TinyArtifact.embeddingWidth * 4
            #expect(reply["outputs"]?.elements?.first?["parameters"]?["binary_data_size"]?.int == size)
            #expect(answer.body.count == length + size)
            let plain = try await server.post(
                "/v1/embeddings", ["input": .array(pictures.map { .string(TestPictures.dataURI($0)) })])
            let expected = (plain.json["data"]?.elements ?? []).flatMap {
                ($0["embedding"]?.elements ?? []).compactMap(\.double)
            }
            let found = (0..<size / 4).map { index in
                Float(
                    bitPattern: (0..<4).reduce(UInt32(0)) {
                        $0 | UInt32(answer.body[length + 4 * index + $1]) << UInt32(8 * $1)
                    })
            }
            #expect(found.count == expected.count)
            for (a, b) in zip(found, expected) { #expect(abs(Double(a) - b) < 1e-5) }
        }
    }

    /// Sums and products that overflow, sizes beyond the body: each is the client's fault, and harms nobody.
    @Test func framingThatDoesNotAddUp() async throws {
        func tensor(_ shape: String, _ rest: String) -> String {
            #"{"inputs": [{"name": "image", "shape": \#(shape), "datatype": "BYTES", \#(rest)}]}"#
        }
        let tail: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3]
        let cases: [(String, String?, [UInt8])] = [
            (tensor("[-1]", #""data": ["YQ=="]"#), nil, []), (tensor("[0]", #""data": []"#), nil, []),
            (tensor("[9223372036854775807, 9223372036854775807]", #""data": ["YQ=="]"#), nil, []),
            (tensor("[4294967296, 4294967296]", #""data": ["YQ=="]"#), nil, []),
            (tensor("[1e300]", #""data": ["YQ=="]"#), nil, []), (tensor("[2]", #""data": ["YQ=="]"#), nil, []),
            (tensor("[1]", #""parameters": {"binary_data_size": 9223372036854775807}"#), "json", tail),
            (tensor("[1]", #""parameters": {"binary_data_size": -1}"#), "json", tail),
            (tensor("[1]", #""parameters": {"binary_data_size": 7}"#), "json", tail),
            (tensor("[1]", #""parameters": {"binary_data_size": 7}"#), "99999999999999999999", tail),
            (tensor("[1]", #""parameters": {"binary_data_size": 7}"#), "-5", tail),
            (tensor("[1]", #""parameters": {"binary_data_size": 7}"#), "9223372036854775807", tail),
            (tensor("[1]", #""parameters": {"binary_data_size": 7}"#), "0", tail),
            (tensor("[1]", #""data": ["YQ=="], "parameters": {"binary_data_size": 7}"#), "json", tail),
            (tensor("[1]", #""data": ["YQ=="]"#), "json", tail), (#"{"inputs": []}"#, nil, []),
        ]
        try await TestServer.with { server in
            for (json, length, tail) in cases {
                let headers = length.map {
                    [("Inference-Header-Content-Length", $0 == "json" ? String(json.utf8.count) : $0)]
                }
                let answer = try await server.send("POST", path, headers: headers ?? [], body: Array(json.utf8) + tail)
                #expect(answer.status == 400, "\(json) \(length ?? ""): \(answer.text)")
                #expect(answer.json["error"]?.string?.isEmpty == false)
            }
            #expect(try await server.isAlive())
        }
    }

    /// The addresses that Triton's client asks for and this server does not have, and wrong ones: the client prints what is
    /// under `error`, which has to be a text.
    @Test func everyErrorHasTheProtocolsShape() async throws {
        try await TestServer.with(configure: { $0.bodyBytes = 100_000 }) { server in
            let big = [UInt8](repeating: 0x20, count: 200_000)
            for (method, address, body, statuses) in [
                ("GET", "/v2/models/tiny-coca/config", nil, [404]), ("GET", "/v2/models/stats", nil, [404]),
                ("GET", "/v2/models/tiny-coca/stats", nil, [404]), ("GET", "/v2/trace/setting", nil, [404]),
                ("POST", "/v2/models/tiny-coca/trace/setting", [], [404]), ("POST", "/v2/logging", [], [404]),
                ("GET", "/v2/systemsharedmemory/status", nil, [404]),
                ("POST", "/v2/cudasharedmemory/region/a/register", [], [404]),
                ("POST", "/v2/models/tiny-coca/generate", [], [404]), ("GET", "/v2/nowhere", nil, [404]),
                ("GET", "/v2/", nil, [200]), ("POST", "/v2", [], [405]), ("DELETE", "/v2/models/tiny-coca", nil, [405]),
                ("GET", "/v2/models/tiny-coca/infer", nil, [405]), ("GET", "/v2/models/other", nil, [404]),
                ("GET", "/v2/models/tiny-coca/versions/2", nil, [404]),
                ("POST", "/v2/models/tiny-coca/infer", [], [400]),
                ("POST", "/v2/models/tiny-coca/infer", Array("{".utf8), [400]),
                ("POST", "/v2/models/tiny-coca/infer", Array("[]".utf8), [400]),
                ("POST", "/v2/models/tiny-coca/infer", big, [413]),
                ("POST", "/v2/repository/index", Array("[".utf8), [400]),
            ] as [(String, String, [UInt8]?, [Int])] {
                let answer = try await server.send(method, address, body: body)
                #expect(statuses.contains(answer.status), "\(method) \(address): \(answer.status) \(answer.text)")
                guard answer.status != 200 else { continue }
                #expect(answer.json["error"]?.string?.isEmpty == false, "\(method) \(address): \(answer.text)")
                #expect(answer.json.members?.count == 1)
            }
            let unknown = try await server.get("/v2/trace/setting").text
            #expect(unknown.contains("binary_tensor_data"))
            // Cohere's address is none of the protocol's, and beside it is what OpenAI's clients read.
            #expect(try await server.post("/v2/embed", ["texts": 5]).json["error"]?["message"]?.string != nil)
            #expect(try await server.get("/v1/nowhere").json["error"]?["message"]?.string != nil)
            #expect(try await server.get("/v2x").json["error"]?["message"]?.string != nil)
            for (members, name) in [
                (#""parameters": {"shared_memory_region": "a", "shared_memory_byte_size": 5}"#, "Shared memory"),
                (#""data": ["a"], "parameters": {"shared_memory_region": "a"}"#, "Shared memory"),
            ] {
                let body = #"{"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", \#(members)}]}"#
                let answer = try await server.post(path, json: body)
                #expect(answer.status == 400 && answer.json["error"]?.string?.contains(name) == true, "\(answer.text)")
            }
            let classes = try await server.post(
                path,
                json:
                    #"{"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}], "outputs": [{"name": "embedding", "parameters": {"classification": 3}}]}"#
            )
            #expect(classes.status == 400, "\(classes.text)")
        }
    }

    /// What failed inside has the request's id, as a text.
    @Test func faultsHaveTheProtocolsShapeToo() async throws {
        try await withTemporaryFolder { folder in
            try TinyArtifact.write(.clip, to: folder, name: "m")
            try await TestServer.with(configure: { $0.models = [ModelArgument(folder: folder)] }) { server in
                try Files.replace(folder + "/text.onnx", with: "broken")
                #expect(try await server.post("/v2/repository/models/m/unload", [:]).status == 200)
                #expect(try await server.post("/v2/repository/models/m/load", [:]).status == 409)
                let answer = try await server.post(
                    "/v2/models/m/infer",
                    json: #"{"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}"#,
                    headers: [("X-Request-Id", "number-7")])
                #expect(answer.status == 500, "\(answer.text)")
                #expect(answer.json["error"]?.string?.contains("number-7") == true, "\(answer.text)")
            }
        }
    }
}
