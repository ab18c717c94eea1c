import ConcordCore
import ConcordTestSupport
import Foundation
import Testing

@Suite struct ComparisonRouteTests {
    @Test func similarityIsTheProductOfTheVectors() async throws {
        let pictures = try (0..<2).map { try TestPictures.png(seed: $0) }
        let texts = ["a red apple", "a dog and a cat", "an apple"]
        try await TestServer.with([.clip]) { server in
            let uris = pictures.map { JSONValue.string(TestPictures.dataURI($0)) }
            let answer = try await server.post(
                "/similarity", ["images": .array(uris), "texts": .array(texts.map(JSONValue.string))])
            #expect(answer.status == 200, "\(answer.text)")
            let rows = try #require(answer.json["similarities"]?.elements)
            #expect(rows.count == 2 && rows.allSatisfy { $0.elements?.count == 3 })
            let embeddings = try await server.post(
                "/v1/embeddings", ["input": .array(uris + texts.map(JSONValue.string))])
            let vectors = (embeddings.json["data"]?.elements ?? []).map {
                ($0["embedding"]?.elements ?? []).compactMap(\.double)
            }
            for row in 0..<2 {
                for column in 0..<3 {
                    let cosine = zip(vectors[row], vectors[2 + column]).reduce(0) { $0 + $1.0 * $1.1 }
                    let found = try #require(rows[row].elements?[column].double)
                    #expect(abs(found - cosine) < 1e-5)
                    let logit = try #require(answer.json["logits"]?.elements?[row].elements?[column].double)
                    #expect(abs(logit - TinyArtifact.logitScale * cosine) < 1e-3)
                }
            }
            var form = TestForm()
            for picture in pictures { form.add("image", file: picture) }
            for text in texts { form.add("texts", text) }
            let same = try await server.post("/similarity", form: form)
            #expect(same.json["similarities"] == answer.json["similarities"], "\(same.text)")
        }
    }

    @Test func classifyRanksByProbability() async throws {
        try await TestServer.with([.clip]) { server in
            let uri = JSONValue.string(TestPictures.dataURI(try TestPictures.png()))
            let answer = try await server.post(
                "/classify", ["image": uri, "labels": ["apple", "dog", "cat"], "template": "a {}"])
            #expect(answer.status == 200, "\(answer.text)")
            let result = try #require(answer.json["results"]?.elements?.first)
            let scores = try #require(result["scores"]?.elements).compactMap { $0["probability"]?.double }
            #expect(scores.count == 3 && scores == scores.sorted(by: >))
            #expect(abs(scores.reduce(0, +) - 1) < 1e-9)
            #expect(result["label"] == result["scores"]?.elements?.first?["label"])
        }
    }

    @Test func whatIsMissingIsNamed() async throws {
        let uri = JSONValue.string(TestPictures.dataURI(try TestPictures.png()))
        let bodies: [(JSONValue, String)] = [
            (["texts": ["a"]], "images"), (["images": [uri]], "texts"), (["images": [uri], "texts": []], "texts"),
            (["images": [uri], "texts": ["a"], "template": "no place"], "template"),
            (["images": ["nonsense"], "texts": ["a"]], "images[0]"),
        ]
        try await TestServer.with([.clip]) { server in
            for (body, parameter) in bodies {
                let answer = try await server.post("/similarity", body)
                #expect(answer.status == 400 && answer.json["error"]?["param"]?.string == parameter, "\(answer.text)")
            }
        }
    }

    @Test func aModelOfTextsAloneComparesNoPictures() async throws {
        let uri = JSONValue.string(TestPictures.dataURI(try TestPictures.png()))
        try await TestServer.with([.sentences]) { server in
            let answer = try await server.post("/similarity", ["images": [uri], "texts": ["a dog"]])
            #expect(answer.status == 400, "\(answer.text)")
            let text = try await server.post("/v1/embeddings", ["input": "a dog"])
            #expect(text.status == 200)
        }
    }
}
