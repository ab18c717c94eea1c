import ConcordCore
import ConcordServer
import ConcordTestSupport
import Foundation
import Testing

@Suite struct EmbeddingRouteTests {
    private func vectors(_ answer: TestResponse) -> [[Double]] {
        (answer.json["data"]?.elements ?? []).compactMap { $0["embedding"]?.elements?.compactMap(\.double) }
    }

    @Test func everyShapeOfTextsGivesTheSameVectors() async throws {
        try await TestServer.with { server in
            let texts = ["a red apple", "two cats sleep on a red table"]
            let list = JSONValue.array(texts.map(JSONValue.string))
            let plain = try await server.post("/v1/embeddings", ["input": list, "model": "tiny-coca"])
            #expect(plain.status == 200)
            #expect(plain["content-type"] == "application/json")
            #expect(plain.json["object"]?.string == "list")
            #expect(plain.json["model"]?.string == "tiny-coca")
            #expect(plain.json["data"]?.elements?.map { $0["index"]?.int } == [0, 1])
            let expected = vectors(plain)
            #expect(expected.count == 2 && expected.allSatisfy { $0.count == TinyArtifact.embeddingWidth })
            for vector in expected { #expect(abs(vector.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5) }
            let tokens = try #require(plain.json["usage"]?["prompt_tokens"]?.int)
            #expect(tokens > 4 && plain.json["usage"]?["total_tokens"]?.int == tokens)

            let bodies: [JSONValue] = [
                ["input": [["text": .string(texts[0])], ["text": .string(texts[1])]], "normalized": true],
                ["texts": list, "input_type": "search_document"],
                ["inputs": .array(texts.map { ["content": [["type": "text", "text": .string($0)]]] })],
                ["input": list, "modality": "text", "user": "someone"],
            ]
            for body in bodies {
                let answer = try await server.post("/v1/embeddings", body)
                #expect(vectors(answer) == expected, "\(body.text())")
            }
            for (index, text) in texts.enumerated() {
                let answer = try await server.post("/v1/embeddings", ["input": .string(text)])
                #expect(vectors(answer) == [expected[index]], "solo = batched")
            }
        }
    }

    @Test func tokensGiveTheVectorOfTheirText() async throws {
        try await TestServer.with { server in
            // Ids that no word has give a vector of their own; what matters is that both shapes agree.
            let one = try await server.post("/v1/embeddings", ["input": [1, 2, 3]])
            let several = try await server.post("/v1/embeddings", ["input": [[1, 2, 3], [2, 3]]])
            #expect(one.status == 200 && several.status == 200)
            #expect(vectors(several).count == 2 && vectors(several)[0] == vectors(one)[0])
            let negative = try await server.post("/v1/embeddings", ["input": [1, -2]])
            #expect(negative.status == 400)
            let huge = try await server.post("/v1/embeddings", ["input": [1, 2_000_000_000]])
            #expect(huge.status == 400)
        }
    }

    @Test func base64HoldsTheSameNumbers() async throws {
        try await TestServer.with { server in
            let float = try await server.post("/v1/embeddings", ["input": "a red apple"])
            let coded = try await server.post("/v1/embeddings", ["input": "a red apple", "encoding_format": "base64"])
            let text = try #require(coded.json["data"]?.elements?.first?["embedding"]?.string)
            let bytes = try #require(Data(base64Encoded: text))
            let values = stride(from: 0, to: bytes.count, by: 4).map { start in
                Float(bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) })
            }
            #expect(values == vectors(float)[0].map { Float($0) })
        }
    }

    @Test func dimensionsCutAndNormaliseAgain() async throws {
        try await TestServer.with { server in
            let whole = vectors(try await server.post("/v1/embeddings", ["input": "a red apple"]))[0]
            let cut = vectors(try await server.post("/v1/embeddings", ["input": "a red apple", "dimensions": 5]))[0]
            let norm = whole[..<5].reduce(0) { $0 + $1 * $1 }.squareRoot()
            #expect(cut.count == 5)
            for (found, value) in zip(cut, whole) { #expect(abs(found - value / norm) < 1e-6) }
            let above = try await server.post("/v1/embeddings", ["input": "a", "dimensions": 13])
            #expect(above.status == 400 && above.json["error"]?["param"]?.string == "dimensions")
        }
    }

    @Test func everyShapeOfPicturesGivesTheSameVector() async throws {
        let picture = try TestPictures.png()
        let uri = TestPictures.dataURI(picture), bare = TestPictures.base64(picture)
        try await TestServer.with { server in
            let first = try await server.post("/v1/embeddings", ["input": .string(uri)])
            #expect(first.status == 200, "\(first.text)")
            let expected = vectors(first)
            #expect(expected.first?.count == TinyArtifact.embeddingWidth)
            #expect(first.json["usage"]?["image_pixels"]?.int == 320)
            let bodies: [JSONValue] = [
                ["input": [["image": .string(bare)]]], ["input": [["image": .string(uri)]]],
                ["images": [.string(uri)], "input_type": "image"],
                ["inputs": [["content": [["type": "image_url", "image_url": ["url": .string(uri)]]]]]],
                ["inputs": [["content": [["type": "image_base64", "image_base64": .string(bare)]]]]],
                ["input": [.string(bare)], "modality": "image"],
            ]
            for body in bodies {
                let answer = try await server.post("/v1/embeddings", body)
                #expect(vectors(answer) == expected, "\(answer.text)")
            }
            var form = TestForm()
            form.add("model", "tiny-coca")
            form.add("file", file: picture)
            form.add("text", "a red apple")
            let answer = try await server.post("/v1/embeddings", form: form)
            #expect(answer.status == 200, "\(answer.text)")
            #expect(vectors(answer).count == 2 && vectors(answer)[0] == expected[0])
        }
    }

    @Test func addressesAreFetchedWhereTheServerWasToldTo() async throws {
        let picture = try TestPictures.png()
        let host = try ScriptedServer { request in
            request.target == "/a.png"
                ? ScriptedServer.Response(body: picture) : ScriptedServer.Response(text: "no picture")
        }
        var options = ImageFetchOptions()
        options.loopbackPort = host.port
        try await TestServer.with(configure: { $0.imageFetching = options }) { server in
            let uri = JSONValue.string(TestPictures.dataURI(picture))
            let sent = try await server.post("/v1/embeddings", ["images": [uri]])
            let address = JSONValue.string(host.address + "/a.png")
            let fetched = try await server.post("/v1/embeddings", ["images": [address]])
            #expect(fetched.status == 200, "\(fetched.text)")
            #expect(vectors(fetched) == vectors(sent) && vectors(sent).count == 1)
            for bad in [host.address + "/text", "http://169.254.169.254/a.png", "http://127.0.0.1:1/a.png"] {
                let answer = try await server.post("/v1/embeddings", ["images": [.string(bad)]])
                #expect(answer.status == 400, "\(bad) \(answer.text)")
                #expect(answer.json["error"]?["param"]?.string == "images[0]")
            }
        }
    }

    @Test func soloAndBatchedPicturesAreEqual() async throws {
        let pictures = try (0..<7).map { try TestPictures.png(width: 18 + $0, height: 30 - $0, seed: $0) }
        try await TestServer.with { server in
            let all = try await server.post(
                "/v1/embeddings", ["input": .array(pictures.map { .string(TestPictures.dataURI($0)) })])
            #expect(vectors(all).count == 7)
            for (index, picture) in pictures.enumerated() {
                let one = try await server.post("/v1/embeddings", ["input": .string(TestPictures.dataURI(picture))])
                for (a, b) in zip(try #require(vectors(one).first), vectors(all)[index]) { #expect(abs(a - b) <= 1e-5) }
            }
        }
    }

    @Test func cohereGetsItsOwnAnswer() async throws {
        try await TestServer.with { server in
            let answer = try await server.post(
                "/v2/embed",
                ["model": "tiny-coca", "texts": ["a red apple", "a dog"], "embedding_types": ["float", "base64"]])
            #expect(answer.status == 200, "\(answer.text)")
            #expect(answer.json["embeddings"]?["float"]?.elements?.count == 2)
            #expect(answer.json["embeddings"]?["base64"]?.elements?.count == 2)
            #expect(answer.json["response_type"]?.string == "embeddings_by_type")
        }
    }

    @Test func oneBadItemFailsAloneOnRequest() async throws {
        try await TestServer.with { server in
            let inputs: JSONValue = [
                "a red apple", .string(TestPictures.dataURI([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])), "a dog",
            ]
            let strict = try await server.post("/v1/embeddings", ["input": inputs])
            #expect(strict.status == 400)
            #expect(strict.json["error"]?["param"]?.string == "input[1]")
            let lenient = try await server.post("/v1/embeddings", ["input": inputs, "error_policy": "per_item"])
            #expect(lenient.status == 200)
            let data = try #require(lenient.json["data"]?.elements)
            #expect(data.map { $0["object"]?.string } == ["embedding", "error", "embedding"])
            #expect(data[1]["error"]?["message"]?.string?.isEmpty == false)
        }
    }

    @Test(arguments: [
        (#"{"model": "tiny-coca"}"#, "input", 400), (#"{"input": ""}"#, "input", 400),
        (#"{"input": []}"#, "input", 400),
        (#"{"input": ["a", ""]}"#, "input[1]", 400), (#"{"input": [true]}"#, "input[0]", 400),
        (#"{"input": [["a"]]}"#, "input[0]", 400), (#"{"input": {"text": 1}}"#, "input.text", 400),
        (#"{"input": "a", "imput": 1}"#, "imput", 400), (#"{"input": "a", "input": "b"}"#, "input", 400),
        (#"{"input": "a", "encoding_format": "hex"}"#, "encoding_format", 400),
        (#"{"input": "a", "dimensions": 0}"#, "dimensions", 400),
        (#"{"input": "a", "dimensions": 1.5}"#, "dimensions", 400),
        (#"{"input": "a", "normalized": false}"#, "normalized", 400),
        (#"{"input": "a", "late_chunking": true}"#, "late_chunking", 400),
        (#"{"input": "a", "model": "gpt-9"}"#, "model", 404), (#"{"input": "a", "model": 7}"#, "model", 400),
        (#"{"inputs": [{"content": []}]}"#, "inputs[0].content", 400),
        (#"{"images": ["http://example.com/a.png"]}"#, "images[0]", 400),
    ])
    func wrongFieldsAreNamed(_ body: String, _ parameter: String, _ status: Int) async throws {
        try await TestServer.with { server in
            let answer = try await server.post("/v1/embeddings", json: body)
            #expect(answer.status == status, "\(answer.text)")
            #expect(answer.json["error"]?["param"]?.string == parameter, "\(answer.text)")
            #expect(answer.json["error"]?["message"]?.string?.isEmpty == false)
            #expect(answer.json["error"]?["type"]?.string == "invalid_request_error")
        }
    }

    @Test func longTextsAreCutAndSaySo() async throws {
        let long = Array(repeating: "a red apple on a table", count: 20).joined(separator: " ")
        try await TestServer.with { server in
            let cut = try await server.post("/v1/embeddings", ["input": ["a dog", .string(long)]])
            let data = try #require(cut.json["data"]?.elements)
            #expect(data[0]["truncated"] == nil && data[1]["truncated"]?.bool == true)
            let refused = try await server.post("/v1/embeddings", ["input": .string(long), "truncate": "NONE"])
            #expect(refused.status == 400 || refused.status == 413)
        }
    }
}
