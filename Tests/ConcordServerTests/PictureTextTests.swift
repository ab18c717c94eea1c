import ConcordCore
import ConcordTestSupport
import Testing

/// Texts that may be pictures, and pictures that came as texts.
@Suite struct PictureTextTests {
    private func vectors(_ answer: TestResponse) -> [JSONValue] {
        (answer.json["data"]?.elements ?? []).compactMap { $0["embedding"] }
    }

    /// A data URI in a field that takes texts and pictures is a picture, whatever type it names, or it is refused.
    @Test func dataURIsAreNeverEmbeddedAsTexts() async throws {
        let picture = try TestPictures.png(), base64 = TestPictures.base64(picture)
        let escaped = picture.map { "%" + String(Int($0) + 256, radix: 16).suffix(2) }.joined()
        let svg = TestPictures.base64(Array("<svg/>".utf8))
        try await TestServer.with { server in
            let expected = vectors(try await server.post("/v1/embeddings", ["images": [.string(base64)]]))
            try #require(expected.count == 1)
            for uri in [
                "data:image/png;base64,\(base64)", "data:application/octet-stream;base64,\(base64)",
                "data:;base64,\(base64)", "data:undefined;base64,\(base64)", "data:text/plain;base64,\(base64)",
                "DATA:IMAGE/PNG;BASE64,\(base64)", "  data:image/png;base64,\(base64)",
                "\n\tData:null;base64,\(base64)\n", "data: image/png ;base64,\(base64)",
                "data:image/png;charset=utf-8;base64,\(base64)", "data:image/png,\(escaped)", "data:,\(escaped)",
            ] {
                let answer = try await server.post("/v1/embeddings", ["input": ["a dog", .string(uri)]])
                #expect(vectors(answer).last == expected[0], "\(uri.prefix(40)): \(answer.text.prefix(200))")
            }
            for uri in [
                "data:application/octet-stream;base64,AAAA", "data:;base64,", "data:undefined;base64,AAAA",
                "data:text/plain,hello", "data:text/html;charset=utf-8,<p>a, b</p>", "data:,hello",
                "data:image/svg+xml;base64,\(svg)", "data:image/svg+xml;utf8,<svg/>", "DATA:;BASE64,\(svg)",
                "data:image/png;base64", "data:image/png", "data:image/png;base64,\(base64.dropFirst())",
            ] {
                let answer = try await server.post("/v1/embeddings", ["input": ["a dog", .string(uri)]])
                #expect(answer.status == 400, "\(uri.prefix(40)): \(answer.text.prefix(200))")
                #expect(answer.json["error"]?["param"]?.string == "input[1]")
            }
            // What only begins so is a text.
            for text in [
                "data: the new oil, they say", "Data: 2020, 2021", "data:2020,2021", "data", "data:", "data: a/b, c",
                "metadata:image/png;base64,AAAA", "data:/etc,/usr", "see data:image/png;base64,AAAA",
            ] {
                let answer = try await server.post("/v1/embeddings", ["input": .string(text)])
                let declared = try await server.post("/v1/embeddings", ["input": .string(text), "modality": "text"])
                #expect(answer.status == 200 && vectors(answer) == vectors(declared), "\(text): \(answer.text)")
            }
            // Who says that it is a text gets a text.
            let letters = try await server.post(
                "/v1/embeddings", ["input": "data:image/png;base64,AAAA", "modality": "text"])
            #expect(letters.status == 200)
        }
    }

    /// The other routes and fields: pictures in all forms where pictures are taken, and none where texts are.
    @Test func everyRouteTakesPicturesWhereTheyBelong() async throws {
        let picture = try TestPictures.png(), base64 = TestPictures.base64(picture)
        let uri = JSONValue.string("DATA:undefined;base64,\(base64)"), good = JSONValue.string("a dog")
        func tensor(_ name: JSONValue, _ data: JSONValue) -> JSONValue {
            ["inputs": [["name": name, "shape": [1], "datatype": "BYTES", "data": [data]]]]
        }
        func part(_ members: JSONValue) -> JSONValue { ["messages": [["role": "user", "content": [members]]]] }
        let infer = "/v2/models/tiny-coca/infer"
        try await TestServer.with { server in
            for (path, body) in [
                ("/similarity", ["image": uri, "text": good]), ("/classify", ["images": [uri], "labels": [good]]),
                ("/generate_caption", ["image": uri]), ("/v2/embed", ["images": [uri]]),
                ("/v1/chat/completions", part(["type": "image_url", "image_url": ["url": uri]])),
                ("/v1/chat/completions", part(["type": "image_url", "image_url": uri])),
                ("/v1/embeddings", ["input": [["image": uri]]]),
                ("/v1/embeddings", ["inputs": [["content": [["type": "image_base64", "image_base64": uri]]]]]),
                (infer, tensor("image", uri)),
            ] as [(String, JSONValue)] {
                let answer = try await server.post(path, body)
                #expect(answer.status == 200, "\(path) \(answer.text)")
            }
            for (path, body, parameter) in [
                ("/similarity", ["image": uri, "text": uri], "texts[0]"),
                ("/similarity", ["image": uri, "texts": [good, uri]], "texts[1]"),
                ("/classify", ["image": uri, "labels": [uri, good]], "texts[0]"),
                ("/v2/embed", ["texts": [good, uri]], "texts[1]"),
                ("/v1/embeddings", ["input": [["text": uri]]], "input[0].text"),
                ("/v1/embeddings", ["texts": [uri]], "texts[0]"),
                (
                    "/v1/embeddings", ["inputs": [["content": [["type": "text", "text": uri]]]]],
                    "inputs[0].content[0].text"
                ),
                ("/v1/chat/completions", part(["type": "text", "text": uri]), "messages[0].content[0].text"),
            ] as [(String, JSONValue, String)] {
                let answer = try await server.post(path, body)
                #expect(answer.status == 400, "\(path) \(answer.text)")
                #expect(answer.json["error"]?["param"]?.string == parameter, "\(path) \(answer.text)")
                #expect(answer.json["error"]?["code"]?.string == "picture_as_text", "\(path) \(answer.text)")
            }
            #expect(try await server.post(infer, tensor("text", uri)).status == 400)
            let bytes = Array("DATA:;base64,\(base64)".utf8)
            let tail = withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { Array($0) } + bytes
            let head =
                #"{"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": \#(tail.count)}}]}"#
            let binary = try await server.send(
                "POST", infer, headers: [("Inference-Header-Content-Length", String(head.utf8.count))],
                body: Array(head.utf8) + tail)
            #expect(binary.status == 400 && binary.text.contains("text[0] is a data URI"), "\(binary.text)")
        }
    }

    @Test func formsTakeThemToo() async throws {
        let picture = try TestPictures.png(), base64 = TestPictures.base64(picture)
        try await TestServer.with { server in
            let expected = vectors(try await server.post("/v1/embeddings", ["images": [.string(base64)]]))
            for (name, text) in [
                ("input", "data:;base64,\(base64)"), ("image", base64), ("images", "DATA:a/b;base64,\(base64)"),
                ("file", "data:;base64,\(base64)"),
            ] {
                var form = TestForm()
                form.add("text", "a dog")
                form.add(name, text)
                let answer = try await server.post("/v1/embeddings", form: form)
                #expect(vectors(answer).last == expected.first, "\(name): \(answer.text.prefix(200))")
            }
            for name in ["text", "texts"] {
                var form = TestForm()
                form.add(name, "data:;base64,\(base64)")
                #expect(try await server.post("/v1/embeddings", form: form).status == 400)
                form.add("image", file: picture)
                #expect(try await server.post("/similarity", form: form).status == 400)
                // A file is no text, whatever it holds.
                var file = TestForm()
                file.add(name, file: picture)
                let answer = try await server.post("/v1/embeddings", form: file)
                #expect(answer.status == 400 && answer.text.contains("is no file"), "\(answer.text)")
            }
        }
    }

    /// An address is a text, but for one that can only be meant as a picture: it would get the vector of its letters.
    @Test func addressesOfPicturesAreAskedAbout() async throws {
        let addresses = [
            "https://example.com/cat.jpg", "HTTP://EXAMPLE.COM/A.PNG", " http://a.example/b.webp?width=5#x ",
            "https://a.example/b.gif", "https://a.example/b.jpeg",
        ]
        let texts = [
            "https://example.com/page.html", "https://example.com/", "see https://example.com/cat.jpg",
            "https://example.com/cat.jpg and more", "ftp://a.example/cat.jpg", "cat.jpg", "https://a.example/?x=.png",
        ]
        try await TestServer.with([.coca, .sentences]) { server in
            for address in addresses {
                let answer = try await server.post("/v1/embeddings", ["input": ["a", .string(address)]])
                #expect(answer.status == 400 && answer.json["error"]?["param"]?.string == "input[1]", "\(answer.text)")
                #expect(answer.json["error"]?["code"]?.string == "picture_as_text")
                for body: JSONValue in [
                    ["input": .string(address), "modality": "text"], ["input": [["text": .string(address)]]],
                    ["texts": [.string(address)]],
                    // A model of texts has no pictures that could be meant.
                    ["input": .string(address), "model": "tiny-sentences"],
                ] {
                    let answer = try await server.post("/v1/embeddings", body)
                    #expect(answer.status == 200, "\(body.text()): \(answer.text)")
                }
            }
            for text in texts {
                let answer = try await server.post("/v1/embeddings", ["input": .string(text)])
                #expect(answer.status == 200, "\(text): \(answer.text)")
            }
        }
    }

    /// Whatever is wrong with one input, the others have their vectors where the client wants that.
    @Test func everyFaultOfAnItemFailsAlone() async throws {
        let good: JSONValue = "a dog", uri = JSONValue.string(TestPictures.dataURI(try TestPictures.png()))
        let bad: [JSONValue] = [
            "", "data:image/png;base64,???", "data:;base64,AAAA", "data:text/plain,hello", "data:image/png",
            "https://example.com/cat.jpg", ["image": "http://example.com/a.png"], ["image": "nonsense"],
            ["text": uri], ["text": "a", "image": uri], [:], ["txt": "a"], ["text": 5], ["content": []],
            ["content": [["type": "text"]]], ["content": [["type": "song", "text": "a"]]], [], [-1], [2_000_000_000],
            ["a"], true, 1.5, nil, .string(TestPictures.dataURI([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])),
            .string(String(repeating: "a", count: (1 << 20) + 1)),
        ]
        try await TestServer.with { server in
            let alone = vectors(try await server.post("/v1/embeddings", ["input": [good, uri]]))
            var inputs = [good]
            for value in bad { inputs += [value, uri] }
            let answer = try await server.post(
                "/v1/embeddings", ["input": .array(inputs), "error_policy": "per_item"])
            #expect(answer.status == 200, "\(answer.text.prefix(300))")
            let data = try #require(answer.json["data"]?.elements)
            try #require(data.count == inputs.count)
            #expect(data[0]["embedding"] == alone[0])
            for (index, value) in bad.enumerated() {
                let failed = data[2 * index + 1], name = "\(value.text().prefix(60))"
                #expect(failed["object"]?.string == "error" && failed["index"]?.int == 2 * index + 1, "\(name)")
                #expect(failed["error"]?["message"]?.string?.isEmpty == false, "\(name)")
                #expect(
                    failed["error"]?["param"]?.string?.hasPrefix("input[\(2 * index + 1)]") == true,
                    "\(name): \(failed.text())")
                #expect(data[2 * index + 2]["object"]?.string == "embedding", "\(name)")
                // Without the policy the same input fails the request.
                let strict = try await server.post("/v1/embeddings", ["input": [good, value]])
                #expect(strict.status == 400 || strict.status == 413, "\(name): \(strict.status)")
            }
            for (field, list) in [
                ("texts", ["a", "", 5, uri]), ("images", [uri, "", 5, "http://example.com/"]),
                ("inputs", [["content": [["type": "text", "text": "a"]]], ["content": []], "a", [:]]),
            ] as [(String, JSONValue)] {
                let answer = try await server.post(
                    "/v1/embeddings", .object([.init(field, list), .init("error_policy", "per_item")]))
                #expect(
                    answer.json["data"]?.elements?.map { $0["object"]?.string }
                        == ["embedding", "error", "error", "error"], "\(field): \(answer.text.prefix(300))")
            }
            var form = TestForm()
            form.add("error_policy", "per_item")
            form.add("file", file: Array("no picture".utf8))
            form.add("text", "a dog")
            form.add("text", "")
            form.add("file", file: [])
            let parts = try await server.post("/v1/embeddings", form: form)
            #expect(
                parts.json["data"]?.elements?.map { $0["object"]?.string } == ["error", "embedding", "error", "error"],
                "\(parts.text.prefix(300))")
            // What is wrong with the request as a whole still fails it.
            for body: JSONValue in [
                ["input": []], ["input": "a", "dimensions": 0], ["input": ["a"], "model": "other"],
                ["input": .array(Array(repeating: "a", count: 2049))],
            ] {
                let members = (body.members ?? []) + [.init("error_policy", "per_item")]
                #expect(try await server.post("/v1/embeddings", .object(members)).status >= 400, "\(members)")
            }
            let cohere = try await server.post("/v2/embed", ["texts": ["a"], "error_policy": "per_item"])
            #expect(cohere.status == 400 && cohere.text.contains("error_policy"))
        }
    }
}
