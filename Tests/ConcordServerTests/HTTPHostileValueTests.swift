import ConcordCore
import ConcordServer
import ConcordTestSupport
import Foundation
import Testing

/// Values that are no mistakes: numbers at the edges, letters of all kinds, few bytes that would become many.
@Suite struct HTTPHostileValueTests {
    private func code(_ answer: TestResponse) -> String? {
        answer.json["error"]?["code"]?.string ?? answer.json["detail"]?.elements?.first?["type"]?.string
    }

    @Test func numbersAtTheEdges() async throws {
        let picture = TestPictures.base64(try TestPictures.png())
        let numbers = [
            "1e999", "-1e999", "1e308", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
            "18446744073709551616", "-0", "-0.0", "0.5", "1e-400", "5e-324", "1" + String(repeating: "0", count: 5000),
            "0." + String(repeating: "1", count: 100_000), "1e" + String(repeating: "9", count: 1000), "0x10", "+1",
            "01",
            "1.", ".5", "NaN", "Infinity", "\"5\"", "true", "[1]", "{}",
        ]
        try await TestServer.attacked { server in
            for number in numbers {
                var bodies: [(String, String)] = [
                    ("/v1/embeddings", #"{"input": "a dog", "dimensions": \#(number)}"#),
                    ("/v1/embeddings", #"{"input": [\#(number)]}"#), ("/v2/embed", #"{"texts": [\#(number)]}"#),
                ]
                for field in ["max_tokens", "seed", "top_k", "beams", "temperature", "top_p"] {
                    bodies.append(("/generate_caption", #"{"image": "\#(picture)", "\#(field)": \#(number)}"#))
                }
                for field in ["max_completion_tokens", "seed", "n", "temperature", "presence_penalty"] {
                    let part = #"{"type": "image_url", "image_url": {"url": "data:image/png;base64,\#(picture)"}}"#
                    let message = #"{"role": "user", "content": [\#(part)]}"#
                    bodies.append(("/v1/chat/completions", #"{"messages": [\#(message)], "\#(field)": \#(number)}"#))
                }
                for (path, body) in bodies {
                    let answer = try await server.post(path, json: body)
                    #expect([200, 400, 422].contains(answer.status), "\(path) \(number): \(answer.text)")
                    expectDiscreet(answer, number)
                }
            }
        }
    }

    /// Temperatures so low that quotients of logits are infinite.
    @Test func drawsAtTheEdges() async throws {
        let picture = JSONValue.string(TestPictures.base64(try TestPictures.png()))
        try await TestServer.attacked { server in
            for temperature in [1e-6, 1e-30, 1e-45, 1e-300, .leastNonzeroMagnitude, 100] as [Double] {
                for (topP, topK) in [(1, nil), (0.5, nil), (.leastNonzeroMagnitude, nil), (0.5, 5), (1, 1_000_000)]
                    as [(Double, Int?)]
                {
                    var body: [JSONValue.Member] = [
                        .init("image", picture), .init("temperature", .number(temperature)),
                        .init("top_p", .number(topP)),
                        .init("strategy", "sample"), .init("max_tokens", 4),
                    ]
                    if let topK { body.append(.init("top_k", .integer(topK))) }
                    let answer = try await server.post("/generate_caption", .object(body))
                    #expect(answer.status == 200, "\(temperature) \(topP): \(answer.text)")
                }
            }
        }
    }

    @Test func lettersOfAllKinds() async throws {
        try await TestServer.attacked { server in
            for name in [
                "\u{0}", "tiny-coca\u{0}", "TINY-COCA", "tiny-coca\u{301}", "../tiny-coca", "tiny\u{2010}coca",
                " tiny-coca",
                "tiny-coca\r\nX-Evil: yes", String(repeating: "n", count: 100_000),
            ] {
                let answer = try await server.post("/v1/embeddings", ["input": "a", "model": .string(name)])
                #expect(answer.status == 404 && code(answer) == "model_not_found", "\(name.prefix(20)): \(answer.text)")
                #expect(answer.body.count < 1000)
            }
            for text in [
                "\u{0}", "a\u{0}b", "\u{FEFF}", "\u{202E}abc", "\u{FFFE}\u{10FFFF}",
                "e" + String(repeating: "\u{301}", count: 10_000),
                String(repeating: "\u{1F3F3}\u{FE0F}\u{200D}\u{1F308}", count: 1000), "   ", "\r\n\t",
                String(repeating: "\u{1100}", count: 10_000), "\u{1B}[31m", "&#0;&#x110000;&#xD800;&notanentity;",
            ] {
                let answer = try await server.post("/v1/embeddings", ["input": .string(text)])
                let vector = answer.json["data"]?.elements?.first?["embedding"]?.elements
                #expect(answer.status == 200 && vector?.contains(.null) == false, "\(text.debugDescription.prefix(40))")
            }
            let escaped = try await server.post("/v1/embeddings", json: #"{"input": "\u0000\ud83d\ude00\uffff"}"#)
            #expect(escaped.status == 200)
            for bad in [#""\ud83d""#, #""\ude00\ud83d""#, #""\x41""#, #""\u00""#, "\"a\nb\"", "\"a\u{0}b\""] {
                #expect(try await server.post("/v1/embeddings", json: "{\"input\": \(bad)}").status == 400, "\(bad)")
            }
        }
    }

    @Test func keysThatOccurTwice() async throws {
        let tensor = #"{"name": "text", "name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}"#
        try await TestServer.attacked { server in
            for (path, body) in [
                ("/v1/embeddings", #"{"input": "a", "input": "b"}"#),
                ("/v1/embeddings", #"{"input": "a", "\u0069nput": "b"}"#),
                ("/v1/embeddings", #"{"input": [{"text": "a", "text": "b"}]}"#),
                ("/v1/chat/completions", #"{"messages": [{"role": "user", "role": "system", "content": ""}]}"#),
                ("/similarity", #"{"texts": ["a"], "texts": ["b"], "images": []}"#),
                ("/v2/models/tiny-coca/infer", #"{"inputs": [\#(tensor)]}"#),
            ] {
                let answer = try await server.post(path, json: body)
                #expect(answer.status == 400 && answer.text.contains("occurs twice"), "\(answer.text)")
            }
        }
    }

    @Test func aHundredThousandInputs() async throws {
        let many = JSONValue.array(Array(repeating: "a", count: 100_000))
        let picture = JSONValue.string(TestPictures.dataURI(try TestPictures.png(width: 1, height: 1)))
        try await TestServer.attacked { server in
            for (path, body) in [
                ("/v1/embeddings", ["input": many]), ("/v1/embeddings", ["texts": many]),
                ("/v1/embeddings", ["images": many]), ("/v2/embed", ["inputs": many]),
                ("/similarity", ["texts": many, "images": [picture]]),
                ("/classify", ["labels": many, "images": [picture]]),
                ("/v1/chat/completions", ["messages": many]),
                ("/v1/chat/completions", ["messages": [["role": "user", "content": many]]]),
                (
                    "/v2/models/tiny-coca/infer",
                    ["inputs": [["name": "text", "shape": [100_000], "datatype": "BYTES", "data": many]]]
                ),
                (
                    "/v2/models/tiny-coca/infer",
                    ["inputs": [["name": "text", "shape": many, "datatype": "BYTES", "data": ["a"]]]]
                ),
            ] as [(String, JSONValue)] {
                let answer = try await server.post(path, body)
                #expect(answer.status == 400, "\(path) \(answer.text)")
                #expect(answer.text.contains("allowed") || answer.text.contains("more than"), "\(path) \(answer.text)")
            }
        }
    }

    @Test func tokensThatAreNone() async throws {
        try await TestServer.attacked { server in
            for tokens in [
                "[-1]", "[2147483648]", "[99999]", "[1.5]", "[1, \"a\"]", "[[1], []]", "[[]]", "[[[1]]]", "[1, null]",
                "[[1], \"\"]", "[true]", "[1, [1]]",
            ] {
                let answer = try await server.post("/v1/embeddings", json: "{\"input\": \(tokens)}")
                #expect(answer.status == 400, "\(tokens) \(answer.text)")
            }
            for tokens in [Array(repeating: 0, count: 8192), [0], [1], Array(0..<20)] {
                let answer = try await server.post("/v1/embeddings", ["input": .array(tokens.map(JSONValue.integer))])
                #expect([200, 400].contains(answer.status), "\(answer.text)")
            }
        }
    }

    // MARK: Few bytes that become many

    @Test func textsDoNotGrowWithoutBounds() async throws {
        let picture = JSONValue.string(TestPictures.dataURI(try TestPictures.png(width: 1, height: 1)))
        func texts(_ count: Int, _ length: Int) -> JSONValue {
            .array(Array(repeating: .string(String(repeating: "a ", count: length / 2)), count: count))
        }
        let places = JSONValue.string(String(repeating: "{}", count: 40))
        try await TestServer.attacked { server in
            // Each text alone would pass: 100 of 800 kB come to 80 MB.
            let template = try await server.post(
                "/similarity", ["images": [picture], "texts": texts(100, 20_000), "template": places])
            #expect(template.status == 413 && template.text.contains("come to"), "\(template.text)")
            // 256 pictures, each with all names in its answer.
            let names = try await server.post(
                "/classify",
                ["images": .array(Array(repeating: picture, count: 256)), "labels": texts(1, 300_000)])
            #expect(names.status == 413 && names.text.contains("come to"), "\(names.text)")
            let long = try await server.post(
                "/classify",
                ["images": [picture], "labels": ["a"], "template": .string(String(repeating: "{} ", count: 2000))])
            #expect(long.status == 413 && long.text.contains("template"), "\(long.text)")
            let good = try await server.post(
                "/classify", ["images": [picture], "labels": ["dog", "apple"], "template": "a {} or a {}"])
            #expect(good.status == 200, "\(good.text)")
        }
    }

    @Test func textsHaveALength() async throws {
        let picture = try TestPictures.png()
        let bare = JSONValue.string(TestPictures.base64(picture)), uri = JSONValue.string(TestPictures.dataURI(picture))
        let text = JSONValue.string(String(repeating: "a ", count: 600_000))
        try await TestServer.attacked { server in
            for (path, body) in [
                ("/v1/embeddings", ["input": text]), ("/v2/embed", ["texts": ["a", text]]),
                ("/similarity", ["images": [uri], "texts": [text]]),
                (
                    "/v2/models/tiny-coca/infer",
                    ["inputs": [["name": "text", "shape": [1], "datatype": "BYTES", "data": [text]]]]
                ),
            ] as [(String, JSONValue)] {
                let answer = try await server.post(path, body)
                #expect(answer.status == 413, "\(path) \(answer.text)")
            }
            for prompt in [String(repeating: "a ", count: 20_000), String(repeating: " ", count: 16_000)] {
                let caption = try await server.post("/generate_caption", ["image": bare, "prompt": .string(prompt)])
                let message: JSONValue = [
                    "role": "user", "content": [["type": "image_url", "image_url": ["url": uri]]],
                ]
                let chat = try await server.post(
                    "/v1/chat/completions",
                    ["messages": [message, ["role": "assistant", "content": .string(prompt)]]])
                for answer in [caption, chat] {
                    #expect([400, 413, 422].contains(answer.status), "\(answer.text.prefix(200))")
                    // What was sent does not come back, nor into the log.
                    #expect(answer.body.count < 1000)
                }
                #expect(caption.status == (prompt.utf8.count > 16 << 10 ? 413 : 422))
            }
            #expect(server.log.all.allSatisfy { $0.utf8.count < 2000 })
        }
    }

    @Test func namesOfMegabytes() async throws {
        let name = String(repeating: "a", count: 4 << 20)
        try await TestServer.attacked { server in
            for path in ["/v1/embeddings", "/generate_caption", "/similarity", "/v1/chat/completions", "/admin/reload"]
            {
                let answer = try await server.post(path, .object([.init(name, 1)]))
                #expect([400, 413, 422].contains(answer.status), "\(path)")
                #expect(answer.body.count < 1000)
            }
            var form = TestForm()
            form.add(String(repeating: "n", count: 4000), "x")
            let answer = try await server.post("/generate_caption", form: form)
            #expect(answer.status == 422 && answer.body.count < 1000)
        }
    }
}
