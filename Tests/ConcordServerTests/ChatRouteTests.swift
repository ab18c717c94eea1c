import ConcordCore
import ConcordTestSupport
import Foundation
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
                ), (try body([.init("stop", 5)]), "stop"), (try body([.init("stop", [""])]), "stop[0]"),
                (try body([.init("stop", ["a", "b", "c", "d", "e"])]), "stop"),
                (try body([.init("tools", [["type": "function"]])]), "tools"),
                (try body([.init("logit_bias", ["50256": -100])]), "logit_bias"),
                (try body([.init("response_format", ["type": "json_object"])]), "response_format"),
                (try body([.init("logprobs", true)]), "logprobs"), (try body([.init("max_tokens", 0)]), "max_tokens"),
                (
                    [
                        "messages": [
                            ["role": "user", "content": .string(TestPictures.dataURI(try TestPictures.png()))]
                        ]
                    ], "messages[0].content"
                ),
                (try body([.init("n", 2)]), "n"), (try body([.init("presence_penalty", 1)]), "presence_penalty"),
            ]
            for (request, parameter) in cases {
                let answer = try await server.post("/v1/chat/completions", request)
                #expect(answer.status == 400, "\(answer.text)")
                #expect(answer.json["error"]?["param"]?.string == parameter, "\(answer.text)")
            }
        }
    }

    /// What clients send that asks for nothing, all of it at once.
    @Test func fieldsThatAskForNothingAreIgnored() async throws {
        let neutral: [JSONValue.Member] = [
            .init("store", false), .init("metadata", ["a": "b"]), .init("tools", nil), .init("tool_choice", "none"),
            .init("logit_bias", nil), .init("service_tier", "auto"), .init("presence_penalty", 0),
            .init("frequency_penalty", 0.0), .init("logprobs", false), .init("top_logprobs", nil),
            .init("functions", nil),
            .init("response_format", ["type": "text"]), .init("modalities", ["text"]), .init("audio", nil),
            .init("parallel_tool_calls", true), .init("user", "somebody"), .init("stop", nil), .init("n", nil),
            .init("seed", nil), .init("temperature", nil), .init("top_p", 1), .init("stream", nil),
            .init("stream_options", nil), .init("reasoning_effort", "low"), .init("safety_identifier", "x"),
            .init("prompt_cache_key", "y"), .init("what_comes_next_year", nil),
        ]
        try await TestServer.with { server in
            let plain = try await server.post("/v1/chat/completions", try body())
            let answer = try await server.post("/v1/chat/completions", try body(neutral))
            #expect(answer.status == 200, "\(answer.text)")
            #expect(answer.json["choices"] == plain.json["choices"])
            for member in neutral {
                let one = try await server.post("/v1/chat/completions", try body([member]))
                #expect(one.status == 200, "\(member.name): \(one.text)")
            }
            let unknown = try await server.post("/v1/chat/completions", try body([.init("what_comes_next_year", 1)]))
            #expect(unknown.status == 400 && unknown.text.contains("unknown_parameter"))
        }
    }

    @Test func theAnswerCanBeSentBack() async throws {
        try await TestServer.with { server in
            let first = try await server.post("/v1/chat/completions", try body())
            let message = try #require(first.json["choices"]?.elements?.first?["message"])
            // As OpenAI's client writes it, with all that its type has.
            let dumped = JSONValue.object(
                (message.members ?? []) + [
                    .init("annotations", []), .init("audio", nil), .init("function_call", nil),
                    .init("tool_calls", nil),
                ])
            let messages = try #require(try body()["messages"]?.elements)
            func ask(_ more: [JSONValue]) async throws -> TestResponse {
                try await server.post("/v1/chat/completions", ["max_tokens": 8, "messages": .array(messages + more)])
            }
            let again = try await ask([dumped, ["role": "user", "content": "And in other words?"]])
            #expect(again.status == 200, "\(again.text)")
            // Only the assistant's last message is what the caption begins with.
            #expect(again.json["choices"] == first.json["choices"])
            for silent: JSONValue in [
                ["role": "assistant", "content": nil, "refusal": "No."], ["role": "assistant"],
                ["role": "assistant", "content": [["type": "refusal", "refusal": "No."]]],
            ] {
                let answer = try await ask([silent])
                #expect(answer.status == 200 && answer.json["choices"] == first.json["choices"], "\(answer.text)")
            }
            let begun = try await ask([["role": "assistant", "content": "a red"]])
            let parts = try await ask([["role": "assistant", "content": [["type": "text", "text": "a red"]]]])
            let content = try #require(begun.json["choices"]?.elements?.first?["message"]?["content"]?.string)
            #expect(content.hasPrefix("a red") && parts.json["choices"] == begun.json["choices"], "\(begun.text)")
            let empty = try await ask([["role": "user", "content": nil]])
            #expect(empty.status == 400 && empty.json["error"]?["param"]?.string == "messages[2].content")
        }
    }

    @Test func moreTokensThanTheContextHasAreCutAndTheAnswerSaysSo() async throws {
        try await TestServer.with { server in
            func ask(_ members: [JSONValue.Member]) async throws -> TestResponse {
                let all = (try body().members ?? []).filter { $0.name != "max_tokens" } + members
                return try await server.post("/v1/chat/completions", .object(all))
            }
            let usual = try await ask([])
            #expect(usual.status == 200 && usual.json["max_tokens"] == nil)
            for name in ["max_tokens", "max_completion_tokens"] {
                let answer = try await ask([.init(name, 4096)])
                #expect(answer.status == 200, "\(answer.text)")
                let cut = try #require(answer.json["max_tokens"]?.int)
                #expect((answer.json["usage"]?["completion_tokens"]?.int ?? .max) <= cut && cut < 4096)
                // What the answer says is the most that is not cut.
                #expect(try await ask([.init(name, .integer(cut))]).json["max_tokens"] == nil)
                #expect(try await ask([.init(name, .integer(cut + 1))]).json["max_tokens"]?.int == cut)
            }
            let stream = try await ask([.init("max_tokens", 4096), .init("stream", true)])
            let chunks = stream.events.dropLast().compactMap { try? JSONValue(parsing: $0) }
            #expect(!chunks.isEmpty && chunks.allSatisfy { $0["max_tokens"]?.int != nil })
        }
    }

    @Test func captionsEndAtStops() async throws {
        try await TestServer.with { server in
            let whole = try await server.post("/v1/chat/completions", try body())
            let content = try #require(whole.json["choices"]?.elements?.first?["message"]?["content"]?.string)
            let scalars = Array(content.unicodeScalars)
            try #require(scalars.count > 6)
            func ask(_ stop: JSONValue, _ members: [JSONValue.Member] = []) async throws -> TestResponse {
                try await server.post("/v1/chat/completions", try body([.init("stop", stop)] + members))
            }
            for range in [3..<4, 2..<5, 0..<1, (scalars.count - 2)..<scalars.count] {
                let stop = String(String.UnicodeScalarView(scalars[range]))
                let expected = String(content[..<(try #require(content.range(of: stop)).lowerBound)])
                for value: JSONValue in [.string(stop), [.string("nowhere in it"), .string(stop)]] {
                    let answer = try await ask(value)
                    let choice = answer.json["choices"]?.elements?.first
                    #expect(choice?["message"]?["content"]?.string == expected, "\(stop): \(answer.text)")
                    #expect(choice?["finish_reason"]?.string == "stop")
                }
                let stream = try await ask(.string(stop), [.init("stream", true)])
                let chunks = stream.events.dropLast().compactMap { try? JSONValue(parsing: $0) }
                let deltas = chunks.compactMap { $0["choices"]?.elements?.first?["delta"]?["content"]?.string }
                #expect(deltas.joined() == expected, "\(stop)")
                #expect(chunks.last?["choices"]?.elements?.first?["finish_reason"]?.string == "stop")
            }
            // A stop that does not come takes nothing away, also where the caption ends as the stop begins.
            let end = String(String.UnicodeScalarView(scalars.suffix(1)))
            for members: [JSONValue.Member] in [[], [.init("stream", true)]] {
                let answer = try await ask([.string(end + "\u{10FFFF}")], members)
                let chunks = answer.events.dropLast().compactMap { try? JSONValue(parsing: $0) }
                let found =
                    members.isEmpty
                    ? answer.json["choices"]?.elements?.first?["message"]?["content"]?.string
                    : chunks.compactMap { $0["choices"]?.elements?.first?["delta"]?["content"]?.string }.joined()
                #expect(found == content)
            }
            // What the client began the caption with is not searched.
            let begun = try await ask("red", [.init("prompt", "a red")])
            let text = begun.json["choices"]?.elements?.first?["message"]?["content"]?.string
            #expect(text?.hasPrefix("a red") == true, "\(begun.text)")
        }
    }

    @Test func stoppedCaptionsCostNoMoreTokens() async throws {
        try await TestServer.with { server in
            let whole = try await server.post("/v1/chat/completions", try body())
            let content = try #require(whole.json["choices"]?.elements?.first?["message"]?["content"]?.string)
            let tokens = try #require(whole.json["usage"]?["completion_tokens"]?.int)
            let answer = try await server.post(
                "/v1/chat/completions", try body([.init("stop", .string(String(content.prefix(1))))]))
            #expect((answer.json["usage"]?["completion_tokens"]?.int ?? .max) < tokens, "\(answer.text)")
        }
    }
}
