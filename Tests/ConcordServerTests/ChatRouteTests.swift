import ConcordCore
import ConcordTestSupport
import Testing

@Suite struct ChatRouteTests {
    private func body(_ members: [JSONValue.Member] = []) throws -> JSONValue {
        let uri = JSONValue.string(TestPictures.dataURI(try TestPictures.png()))
        return .object(
            [
                .init("model", "tiny-coca"), .init("max_tokens", 8),
                .init(
                    "messages",
                    [
                        ["role": "system", "content": "You describe pictures."],
                        [
                            "role": "user",
                            "content": [
                                ["type": "text", "text": "What is in this picture?"],
                                ["type": "image_url", "image_url": ["url": uri, "detail": "low"]],
                            ],
                        ],
                    ]),
            ] + members)
    }

    @Test func anAnswerIsTheCaption() async throws {
        try await TestServer.with { server in
            let caption = try await server.send(
                "POST", "/generate_caption?max_tokens=8", body: try TestPictures.png())
            let answer = try await server.post("/v1/chat/completions", try body())
            #expect(answer.status == 200, "\(answer.text)")
            let choice = try #require(answer.json["choices"]?.elements?.first)
            #expect(choice["message"]?["content"] == caption.json["caption"])
            #expect(choice["message"]?["role"]?.string == "assistant")
            #expect(answer.json["object"]?.string == "chat.completion")
            let usage = try #require(answer.json["usage"])
            #expect(
                usage["total_tokens"]?.int
                    == (usage["prompt_tokens"]?.int ?? 0) + (usage["completion_tokens"]?.int ?? 0))
        }
    }

    @Test func chunksPutTogetherAreTheAnswer() async throws {
        try await TestServer.with { server in
            let whole = try await server.post("/v1/chat/completions", try body())
            let content = whole.json["choices"]?.elements?.first?["message"]?["content"]?.string
            let stream = try await server.post(
                "/v1/chat/completions",
                try body([.init("stream", true), .init("stream_options", ["include_usage": true])]))
            #expect(stream["content-type"] == "text/event-stream")
            #expect(stream.events.last == "[DONE]")
            let chunks = stream.events.dropLast().compactMap { try? JSONValue(parsing: $0) }
            #expect(Set(chunks.map { $0["id"]?.string }).count == 1)
            #expect(chunks.allSatisfy { $0["object"]?.string == "chat.completion.chunk" })
            let deltas = chunks.compactMap { $0["choices"]?.elements?.first?["delta"] }
            #expect(deltas.first?["role"]?.string == "assistant")
            #expect(deltas.compactMap { $0["content"]?.string }.joined() == content)
            #expect(chunks.contains { $0["choices"]?.elements?.first?["finish_reason"]?.string != nil })
            #expect(chunks.last?["usage"]?["completion_tokens"]?.int != nil)
            #expect(chunks.last?["choices"]?.elements?.isEmpty == true)
        }
    }

    @Test func whatCannotBeDoneIsRefused() async throws {
        try await TestServer.with { server in
            let cases: [(JSONValue, String)] = [
                ([:], "messages"), (["messages": []], "messages"),
                (["messages": [["role": "user", "content": "hello"]]], "messages"),
                (["messages": [["role": "robot", "content": "hello"]]], "messages[0].role"),
                (
                    [
                        "messages": [
                            [
                                "role": "user",
                                "content": [["type": "image_url", "image_url": ["url": "http://169.254.169.254/a"]]],
                            ]
                        ]
                    ], "messages[0].content[0].image_url.url"
                ), (try body([.init("stop", "x")]), "stop"), (try body([.init("tools", [])]), "tools"),
                (try body([.init("n", 2)]), "n"), (try body([.init("presence_penalty", 1)]), "presence_penalty"),
            ]
            for (request, parameter) in cases {
                let answer = try await server.post("/v1/chat/completions", request)
                #expect(answer.status == 400, "\(answer.text)")
                #expect(answer.json["error"]?["param"]?.string == parameter, "\(answer.text)")
            }
        }
    }
}
