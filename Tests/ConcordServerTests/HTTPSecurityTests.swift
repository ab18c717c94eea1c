import ConcordCore
import ConcordMedia
import ConcordServer
import ConcordTestSupport
import Foundation
import Testing

/// What strangers may send: every case is answered with a 4xx (or with 200 where it is harmless), no error tells what the
/// server is made of, and the model answers afterwards.
@Suite struct HTTPSecurityTests {
    /// Sends each picture to every route that decodes pictures.
    private func offer(
        _ pictures: [(name: String, bytes: [UInt8])], allows: Set<Int> = [200, 400, 413, 422],
        configure: (inout ServerConfiguration) -> Void = { _ in }
    ) async throws {
        try await TestServer.attacked(configure: { configure(&$0) }) { server in
            for (name, bytes) in pictures {
                let raw = try await server.send("POST", "/generate_caption?max_tokens=2", body: bytes)
                #expect(allows.contains(raw.status), "\(name): \(raw.status) \(raw.text)")
                expectDiscreet(raw, name)
                let uri = JSONValue.string(TestPictures.dataURI(bytes))
                let vector = try await server.post("/v1/embeddings", ["input": [["image": uri]]])
                #expect(allows.contains(vector.status), "\(name): \(vector.status) \(vector.text)")
                expectDiscreet(vector, name)
            }
        }
    }

    // MARK: Decompression bombs

    @Test func bombsOfPixelsAreRefusedByTheirHeader() async throws {
        // 30,000² pixels in one bit each, and headers that announce more than any machine has.
        let rows = TestPictures.zeros(1 << 20)
        let bombs: [(name: String, bytes: [UInt8])] = [
            ("1 bit", TestPictures.png(width: 30_000, height: 30_000, depth: 1, colour: 0, data: rows)),
            ("16 bit", TestPictures.png(width: 60_000, height: 60_000, depth: 16, colour: 6, data: rows)),
            ("overflow", TestPictures.png(width: 0x7FFF_FFFF, height: 0x7FFF_FFFF, data: rows)),
            ("strip", TestPictures.png(width: 0x7FFF_FFFF, height: 1, data: rows)),
        ]
        try await offer(bombs, allows: [400, 413, 422])
    }

    @Test func manyBombsAtOnceAreRefused() async throws {
        let bomb = TestPictures.png(
            width: 30_000, height: 30_000, depth: 1, colour: 0, data: TestPictures.zeros(1 << 16))
        try await TestServer.attacked { server in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<32 {
                    group.addTask { try await server.send("POST", "/generate_caption", body: bomb).status }
                }
                for try await status in group { #expect(status == 413 || status == 422) }
            }
        }
    }

    @Test func bombsOfFramesShowTheirFirst() async throws {
        // A GIF of one pixel and 20,000 frames.
        var gif = Array("GIF89a".utf8) + [1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF]
        for _ in 0..<20_000 {
            gif += [0x21, 0xF9, 4, 0, 1, 0, 0, 0, 0x2C, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0]
        }
        try await offer([("frames", gif + [0x3B])])
    }

    @Test func bombsOfChunksAreHarmless() async throws {
        // Text chunks that inflate to 32 MiB each, and a colour profile that does.
        let zeros = TestPictures.zeros(32 << 20)
        let rows = TestPictures.zeros(20 * (20 * 3 + 1))
        let text = Array("key".utf8) + [0, 0] + zeros
        let international = Array("key".utf8) + [0, 1, 0, 0, 0] + zeros
        let profile = Array("profile".utf8) + [0, 0] + zeros
        try await offer([
            ("zTXt", TestPictures.png(width: 20, height: 20, data: rows, extra: [("zTXt", text)])),
            ("iTXt", TestPictures.png(width: 20, height: 20, data: rows, extra: [("iTXt", international)])),
            ("iCCP", TestPictures.png(width: 20, height: 20, data: rows, extra: [("iCCP", profile)])),
            (
                "10,000 tEXt",
                TestPictures.png(
                    width: 20, height: 20, data: rows,
                    extra: Array(repeating: ("tEXt", Array("k".utf8) + [0, 65]), count: 10_000))
            ),
        ])
    }

    @Test func picturesLargerThanTheLimitAreRefused() async throws {
        let picture = try TestPictures.png(width: 64, height: 64)
        try await offer(
            [("64×64", picture)], allows: [413],
            configure: { $0.serving.imageLimits.maximumPixels = 1000 })
    }

    // MARK: Odd pictures

    @Test func onePixelAndOddShapes() async throws {
        var pictures: [(name: String, bytes: [UInt8])] = []
        for (width, height) in [(1, 1), (1, 500), (500, 1), (2, 3), (3, 3)] {
            pictures.append(("\(width)×\(height)", try TestPictures.png(width: width, height: height)))
            pictures.append(
                (
                    "JPEG \(width)×\(height)",
                    try TestPictures.image(width: width, height: height).encoded(as: .jpeg(quality: 90))
                ))
        }
        try await offer(pictures, allows: [200, 400, 422])
    }

    @Test func oddFormsOfPixels() async throws {
        let rows = TestPictures.zeros(4096)
        var pictures: [(name: String, bytes: [UInt8])] = []
        for (colour, depths) in [
            (0, [1, 2, 4, 8, 16]), (2, [8, 16]), (4, [8, 16]), (6, [8, 16]), (3, [8]), (5, [8]),
        ] {
            for depth in depths {
                let file = TestPictures.png(
                    width: 8, height: 8, depth: UInt8(depth), colour: UInt8(colour), data: rows)
                pictures.append(("colour \(colour) depth \(depth)", file))
            }
        }
        pictures.append(("0×8", TestPictures.png(width: 0, height: 8, data: rows)))
        pictures.append(("8×0", TestPictures.png(width: 8, height: 0, data: rows)))
        try await offer(pictures)
    }

    @Test func damagedAndTruncatedPictures() async throws {
        let png = try TestPictures.png(width: 40, height: 40)
        let jpeg = try TestPictures.image(width: 40, height: 40).encoded(as: .jpeg(quality: 90))
        var pictures: [(name: String, bytes: [UInt8])] = []
        for bytes in [png, jpeg] {
            for count in [3, 8, 20, 33, bytes.count / 2, bytes.count - 2] {
                pictures.append(("\(count) of \(bytes.count)", Array(bytes.prefix(count))))
            }
            for position in stride(from: 9, to: bytes.count, by: max(1, bytes.count / 12)) {
                var damaged = bytes
                damaged[position] ^= 0xFF
                pictures.append(("byte \(position)", damaged))
            }
        }
        try await offer(pictures)
    }

    @Test func contentTypesAreNotBelieved() async throws {
        let script = Array("<svg xmlns='http://www.w3.org/2000/svg'/>".utf8)
        let bytes: [(name: String, bytes: [UInt8])] = [
            ("SVG", script), ("PDF", Array("%PDF-1.4\n".utf8)), ("TIFF", [0x49, 0x49, 0x2A, 0, 8, 0, 0, 0]),
            ("JPEG 2000", [0, 0, 0, 0x0C, 0x6A, 0x50, 0x20, 0x20]), ("BMP", Array("BM".utf8) + [0, 0, 0, 0]),
            ("FITS", Array("SIMPLE  = T".utf8)), ("ZIP", [0x50, 0x4B, 3, 4]), ("text", Array("hello".utf8)),
        ]
        try await offer(bytes, allows: [400, 422])
        let picture = try TestPictures.png()
        try await TestServer.attacked { server in
            for type in ["text/html", "application/pdf", "image/svg+xml", "nonsense"] {
                var form = TestForm()
                form.add("image", file: picture, fileName: "../../etc/passwd", type: type)
                form.add("max_tokens", "2")
                #expect(try await server.post("/generate_caption", form: form).status == 200)
            }
            for (name, bytes) in bytes {
                var form = TestForm()
                form.add("image", file: bytes, type: "image/png")
                let answer = try await server.post("/generate_caption", form: form)
                #expect(answer.status == 422, "\(name)")
                expectDiscreet(answer, name)
            }
        }
    }

    // MARK: Files and addresses of the server

    @Test(arguments: [
        "http://127.0.0.1/", "http://localhost:80/a.png", "http://169.254.169.254/latest/meta-data/", "http://[::1]/",
        "http://2130706433/", "http://0x7f000001/", "http://017700000001/", "http://user@host/",
        "https://example.com/a.png",
        "file:///etc/passwd", "ftp://host/a", "//host/a.png", "/etc/passwd", "../../etc/passwd", "\\\\host\\share",
        "C:\\a.png",
        "data:image/png,abc", "data:text/html;base64,PGI+", "data:image/png;base64", "gopher://a",
        "HTTP://EXAMPLE.COM/",
    ])
    func noAddressIsFetchedAndNoFileOpened(_ address: String) async throws {
        try await TestServer.attacked { server in
            let text = JSONValue.string(address)
            let bodies: [(String, JSONValue)] = [
                ("/generate_caption", ["image": text]), ("/v1/embeddings", ["input": [["image": text]]]),
                ("/v1/embeddings", ["images": [text]]), ("/v1/embeddings", ["input": text, "modality": "image"]),
                ("/similarity", ["images": [text], "texts": ["a"]]),
                (
                    "/v1/chat/completions",
                    [
                        "messages": [
                            ["role": "user", "content": [["type": "image_url", "image_url": ["url": text]]]]
                        ]
                    ]
                ),
                (
                    "/v2/models/tiny-coca/infer",
                    ["inputs": [["name": "image", "shape": [1], "datatype": "BYTES", "data": [text]]]]
                ),
            ]
            for (path, body) in bodies {
                let answer = try await server.post(path, body)
                #expect(answer.status == 400 || answer.status == 422, "\(path) \(answer.text)")
                #expect(!answer.text.contains("root:"))
            }
        }
    }

    @Test func pathsOfTheServerLeadNowhere() async throws {
        try await TestServer.attacked { server in
            for path in [
                "/../etc/passwd", "/docs/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd",
                "/v1/models/..%2f..",
                "/v1/models/%00", "/v2/models/..%2Fa/infer", "/static/x",
                "/v1/models/" + String(repeating: "a", count: 5000),
            ] {
                let answer = try await server.get(path)
                #expect(answer.status == 404 || answer.status == 405, "\(path) \(answer.status)")
                expectDiscreet(answer, path)
            }
        }
    }

    // MARK: JSON

    @Test func malformedJSONIsTheClientsFault() async throws {
        let deep = String(repeating: "[", count: 100_000)
        let cases: [String] = [
            "", "{", "[]", "null", "5", "\"a\"", "{\"input\": }", "{\"input\": \"a\"", "{\"input\": \"a\"} x", deep,
            String(repeating: "{\"a\":", count: 50_000), "{\"input\": " + deep, "{\"input\": [[[[\"a\"]]]]}",
            "{\"input\": \"\\ud800\"}", "{\"input\": 1e999}", "{\"input\": NaN}", "\u{FEFF}{}", "{'input': 'a'}",
            "{\"input\": [" + String(repeating: "1,", count: 1_200_000) + "1]}",
        ]
        try await TestServer.attacked { server in
            for text in cases {
                for path in ["/v1/embeddings", "/generate_caption", "/v1/chat/completions", "/similarity"] {
                    let answer = try await server.post(path, json: text)
                    #expect(answer.status == 400 || answer.status == 422, "\(path) \(text.prefix(40)) \(answer.status)")
                    expectDiscreet(answer)
                }
            }
            let bytes = try await server.send("POST", "/v1/embeddings", body: [0x7B, 0xFF, 0xFE, 0x00, 0x7D])
            #expect(bytes.status == 400)
        }
    }

    /// As browsers read it: WHATWG's forgiving-base64 decode.
    @Test func base64IsReadAsInBrowsers() async throws {
        // A picture with one sign of padding, before which the last digit has two bits that no byte takes.
        let picture = try #require(
            try (1..<200).map { try TestPictures.png(width: $0) }.first { TestPictures.base64($0).hasSuffix("=") })
        let good = TestPictures.base64(picture), digits = String(good.prefix { $0 != "=" })
        let padding = good.count - digits.count
        let wrapped = stride(from: 0, to: good.utf8.count, by: 76).map { start in
            String(good.dropFirst(start).prefix(76))
        }.joined(separator: "\r\n")
        let bits = digits.dropLast() + String(try #require(digits.unicodeScalars.last).value == 65 ? "B" : "A")
        let fine = [
            good, digits, " \t\n\u{C}\r" + good + "\n", wrapped + "\r\n", digits + " =" + good.suffix(padding - 1),
        ]
        let bad = [
            good + "=", good + "A", good.replacing("A", with: "-"), "====", "A===", "AB==CD==", "A", "AB=", "ä" + good,
            "",
            " ", good + "\u{B}", good + "\u{A0}", digits + "=" + digits, digits + "#",
        ]
        try await TestServer.attacked { server in
            var captions: Set<String> = []
            for text in fine {
                for text in [text, "data:image/png;base64," + text] {
                    let answer = try await server.post("/generate_caption", ["image": .string(text), "max_tokens": 4])
                    #expect(answer.status == 200, "\(text.debugDescription.prefix(40)): \(answer.text)")
                    captions.insert(answer.json["caption"]?.string ?? "")
                }
            }
            #expect(captions.count == 1)
            for text in bad {
                let answer = try await server.post("/generate_caption", ["image": .string(text)])
                #expect(answer.status == 422, "\(text.prefix(20)) \(answer.text)")
            }
            // Bits that are left over say nothing; the picture may be another by them, but it is base64.
            let other = try await server.post("/generate_caption", ["image": .string(String(bits)), "max_tokens": 2])
            #expect(other.json["detail"]?.elements?.first?["type"]?.string != "invalid_base64", "\(other.text)")
        }
    }

    @Test func arraysHaveALength() async throws {
        try await TestServer.attacked { server in
            let many = JSONValue.array(Array(repeating: "a", count: 2049))
            let texts = try await server.post("/v1/embeddings", ["input": many])
            #expect(texts.status == 400 && texts.json["error"]?["code"]?.string == "too_many")
            let tokens = try await server.post(
                "/v1/embeddings", ["input": .array(Array(repeating: 1, count: 8193))])
            #expect(tokens.status == 400)
            let all = try await server.post(
                "/v1/embeddings",
                ["input": .array(Array(repeating: .array(Array(repeating: 1, count: 8000)), count: 40))])
            #expect(all.status == 400 && all.json["error"]?["code"]?.string == "too_many")
            let inputs = try await server.post(
                "/similarity", ["images": .array(Array(repeating: "a", count: 257)), "texts": ["a"]])
            #expect(inputs.status == 400)
            let shape = try await server.post(
                "/v2/models/tiny-coca/infer",
                ["inputs": [["name": "text", "shape": [3000], "datatype": "BYTES", "data": ["a"]]]])
            #expect(shape.status == 400)
        }
    }

    @Test func formsThatAreNone() async throws {
        let picture = try TestPictures.png()
        func body(_ text: String) -> [UInt8] { Array(text.utf8) }
        let header = "Content-Disposition: form-data; name=\"image\"; filename=\"a\"\r\n\r\n"
        let many = String(repeating: "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\r\n", count: 100_000)
        let cases: [(String, String, [UInt8])] = [
            ("no boundary", "multipart/form-data", body("--b--\r\n")),
            ("empty boundary", "multipart/form-data; boundary=", body("--b--\r\n")),
            (
                "huge boundary", "multipart/form-data; boundary=\(String(repeating: "b", count: 5000))",
                body("--b--\r\n")
            ),
            ("other boundary", "multipart/form-data; boundary=c", body("--b\r\n\(header)x\r\n--b--\r\n")),
            ("no terminator", "multipart/form-data; boundary=b", body("--b\r\n\(header)") + picture),
            ("no name", "multipart/form-data; boundary=b", body("--b\r\nX: y\r\n\r\nz\r\n--b--\r\n")),
            (
                "no headers' end", "multipart/form-data; boundary=b",
                body("--b\r\n" + String(repeating: "A: b\r\n", count: 9000))
            ),
            (
                "header bomb", "multipart/form-data; boundary=b",
                body("--b\r\nX: \(String(repeating: "y", count: 100_000))\r\n\(header)z\r\n--b--\r\n")
            ),
            ("100,000 parts", "multipart/form-data; boundary=b", body(many + "--b--\r\n")),
            (
                "text of 2 MB", "multipart/form-data; boundary=b",
                body(
                    "--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\n"
                        + String(repeating: "y", count: 2_000_000) + "\r\n--b--\r\n")
            ),
            (
                "two pictures", "multipart/form-data; boundary=b",
                body("--b\r\n\(header)") + picture + body("\r\n--b\r\n\(header)") + picture + body("\r\n--b--\r\n")
            ),
            ("only the end", "multipart/form-data; boundary=b", body("--b--")),
            ("nothing", "multipart/form-data; boundary=b", []),
        ]
        try await TestServer.attacked { server in
            for (name, type, bytes) in cases {
                let answer = try await server.send(
                    "POST", "/generate_caption", headers: [("Content-Type", type)], body: bytes)
                #expect([413, 422].contains(answer.status), "\(name): \(answer.status) \(answer.text)")
                expectDiscreet(answer, name)
            }
        }
    }
}
