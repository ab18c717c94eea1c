import ConcordCore
import ConcordTestSupport
import Testing

@Suite struct CaptionRouteTests {
    @Test func formsJSONAndRawBodiesGiveTheSameCaption() async throws {
        let picture = try TestPictures.png()
        try await TestServer.with { server in
            var form = TestForm()
            form.add("image", file: picture)
            form.add("max_tokens", "8")
            let first = try await server.post("/generate_caption", form: form)
            #expect(first.status == 200, "\(first.text)")
            let caption = try #require(first.json["caption"]?.string)
            #expect(first.json["model"]?.string == "tiny-coca")
            #expect(first.json["image_pixels"]?.int == 320)

            let bare = JSONValue.string(TestPictures.base64(picture))
            let json = try await server.post("/generate_caption", ["image": bare, "max_tokens": 8])
            #expect(json.json["caption"]?.string == caption)
            let uri = JSONValue.string(TestPictures.dataURI(picture))
            let data = try await server.post("/generate_caption", ["image": uri, "max_tokens": 8])
            #expect(data.json["caption"]?.string == caption)
            // The usual 30 tokens are more than this model's context has room for.
            let usual = try await server.post("/generate_caption", ["image": bare])
            #expect(usual.status == 200 && usual.json["caption"]?.string?.hasPrefix(caption) == true, "\(usual.text)")
            let long = try await server.post(
                "/generate_caption", ["image": bare, "prompt": "a red", "max_tokens": 500])
            #expect(long.status == 200 && long.json["max_tokens"]?.int != nil, "\(long.text)")
            #expect(usual.json["max_tokens"] == nil)
            // What the client calls the body does not matter.
            for type in ["image/png", "application/octet-stream", "text/plain", "image/jpeg"] {
                let raw = try await server.send(
                    "POST", "/generate_caption?max_tokens=8", headers: [("Content-Type", type)], body: picture)
                #expect(raw.json["caption"]?.string == caption, "\(raw.text)")
            }
        }
    }

    @Test func streamsPutTogetherAreTheCaption() async throws {
        let picture = try TestPictures.png()
        try await TestServer.with { server in
            let whole = try await server.send("POST", "/generate_caption?max_tokens=8", body: picture)
            let caption = try #require(whole.json["caption"]?.string)
            let bare = JSONValue.string(TestPictures.base64(picture))
            let asked = try await server.post("/generate_caption", ["image": bare, "stream": true, "max_tokens": 8])
            let accepted = try await server.send(
                "POST", "/generate_caption?max_tokens=8", headers: [("Accept", "text/event-stream")], body: picture)
            for answer in [asked, accepted] {
                #expect(answer["content-type"] == "text/event-stream")
                let events = answer.events.compactMap { try? JSONValue(parsing: $0) }
                #expect(events.compactMap { $0["text"]?.string }.joined() == caption)
                #expect(events.last?["caption"]?.string == caption)
            }
        }
    }

    @Test func optionsReachTheGenerator() async throws {
        let bare = JSONValue.string(TestPictures.base64(try TestPictures.png()))
        try await TestServer.with { server in
            let short = try await server.post("/generate_caption", ["image": bare, "max_tokens": 1])
            #expect(short.json["tokens"]?.int == 1)
            let beam = try await server.post(
                "/generate_caption", ["image": bare, "strategy": "beam", "beams": 3, "max_tokens": 6])
            #expect(beam.status == 200, "\(beam.text)")
            let draws = try await (0..<2).asyncMap { _ in
                try await server.post(
                    "/generate_caption",
                    ["image": bare, "strategy": "sample", "temperature": 1.5, "seed": 7, "max_tokens": 6])
            }
            #expect(draws[0].status == 200)
            #expect(draws[0].json["caption"] == draws[1].json["caption"])
            let prompt = try await server.post(
                "/generate_caption", ["image": bare, "prompt": "a red", "max_tokens": 6])
            #expect(prompt.status == 200, "\(prompt.text)")
        }
    }

    @Test func captionsEndAtStops() async throws {
        let picture = try TestPictures.png()
        try await TestServer.with { server in
            let whole = try await server.send("POST", "/generate_caption?max_tokens=8", body: picture)
            let caption = try #require(whole.json["caption"]?.string)
            try #require(caption.count > 4)
            let stop = String(caption.dropFirst(3).prefix(1))
            let expected = String(caption[..<(try #require(caption.firstIndex(of: Character(stop))))])
            var form = TestForm()
            form.add("image", file: picture)
            form.add("max_tokens", "8")
            form.add("stop", "nowhere in it")
            form.add("stop", stop)
            let bare = JSONValue.string(TestPictures.base64(picture))
            for answer in [
                try await server.post("/generate_caption", form: form),
                try await server.post("/generate_caption", ["image": bare, "max_tokens": 8, "stop": .string(stop)]),
            ] {
                #expect(answer.json["caption"]?.string == expected, "\(answer.text)")
                #expect(answer.json["finish_reason"]?.string == "stop")
            }
        }
    }

    @Test func errorsHaveFastAPIsShape() async throws {
        try await TestServer.with { server in
            let bodies: [(JSONValue, String, String)] = [
                ([:], "image", "missing"), (["image": "???"], "image", "invalid_base64"),
                (["image": "aGFsbG8="], "image", "invalid_image"), (["image": 5], "image", "invalid_value"),
                (["image": "aGFsbG8=", "imge": 1], "imge", "unknown_parameter"),
                // Which is base64 without its padding.
                (["image": "/etc/passwd"], "image", "invalid_image"),
                (["image": "../etc/passwd"], "image", "invalid_base64"),
                (["image": "file:///etc/passwd"], "image", "invalid_image_url"),
            ]
            for (body, field, type) in bodies {
                let answer = try await server.post("/generate_caption", body)
                #expect(answer.status == 422, "\(answer.text)")
                let detail = answer.json["detail"]?.elements?.first
                #expect(detail?["loc"]?.elements?.map(\.string) == ["body", field], "\(answer.text)")
                #expect(detail?["type"]?.string == type, "\(answer.text)")
                #expect(detail?["msg"]?.string?.isEmpty == false)
            }
            let empty = try await server.post("/generate_caption", form: TestForm())
            #expect(empty.status == 422)
            let beams = try await server.post(
                "/generate_caption",
                ["image": .string(TestPictures.base64(try TestPictures.png())), "strategy": "beam", "stream": true])
            #expect(beams.status == 422)
        }
    }

    @Test func aModelThatDoesNotCaptionSaysSo() async throws {
        let picture = try TestPictures.png()
        try await TestServer.with([.clip]) { server in
            let answer = try await server.send("POST", "/generate_caption", body: picture)
            #expect(answer.status == 422, "\(answer.text)")
            let stream = try await server.send(
                "POST", "/generate_caption", headers: [("Accept", "text/event-stream")], body: picture)
            #expect(stream.status == 422)
            #expect(try await server.isAlive())
        }
    }
}

extension Sequence {
    func asyncMap<Value>(_ transform: (Element) async throws -> Value) async rethrows -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await transform(element)) }
        return values
    }
}
