import ConcordCore
import ConcordServer
import ConcordTestSupport
import Foundation
import Testing

/// Bodies whose framing lies, and nonsense for every address that the server describes.
@Suite struct HTTPHostileBodyTests {
    @Test func formsAtTheEdges() async throws {
        let picture = TestPictures.base64(try TestPictures.png())
        let image = "Content-Disposition: form-data; name=\"image\"\r\n\r\n\(picture)\r\n"
        func form(_ boundary: String, _ parts: [String]) -> String {
            parts.map { "--\(boundary)\r\n\($0)" }.joined() + "--\(boundary)--\r\n"
        }
        let tiny = "Content-Disposition: form-data; name=\"text\"\r\n\r\na\r\n"
        let cases: [(String, String, String, Set<Int>)] = [
            ("quoted boundary", "\"b c\"", form("b c", [image]), [200]),
            ("text before and after", "b", "hello\r\n" + form("b", [image]) + "bye", [200]),
            (
                "white space behind the boundary", "b", form("b", [image]).replacing("--b\r\n", with: "--b \t\r\n"),
                [200]
            ),
            ("a boundary that another begins with", "b", form("bb", [image]), [422]),
            ("a boundary of two dashes", "--", form("--", [image]), [200]),
            (
                "the longest boundary", String(repeating: "x", count: 70),
                form(String(repeating: "x", count: 70), [image]), [200]
            ),
            (
                "a longer boundary", String(repeating: "x", count: 71),
                form(String(repeating: "x", count: 71), [image]), [422]
            ),
            ("line feeds alone", "b", form("b", [image]).replacing("\r\n", with: "\n"), [422]),
            ("one dash at the end", "b", String(form("b", [image]).dropLast(2)), [422]),
            ("no line break at the end", "b", String(form("b", [image]).dropLast(1)), [200]),
            ("nothing behind a boundary", "b", "--b", [422]), ("a line break behind it", "b", "--b\r\n", [422]),
            ("no headers", "b", "--b\r\n\r\n\r\n--b--\r\n", [422]),
            (
                "headers without an end", "b", "--b\r\nContent-Disposition: form-data; name=\"image\"\r\n--b--\r\n",
                [422]
            ),
            (
                "a name twice", "b", form("b", [image.replacing("name=\"image\"", with: "name=\"x\"; name=\"image\"")]),
                [200]
            ),
            ("a name without quotes", "b", form("b", [image.replacing("\"", with: "")]), [200]),
            ("a quote that stays open", "b", form("b", [image.replacing("image\"", with: "image")]), [200, 422]),
            ("no name", "b", form("b", [image.replacing("name=", with: "nam=")]), [422]),
            ("an empty name", "b", form("b", [image.replacing("\"image\"", with: "\"\"")]), [422]),
            ("a zero byte in the name", "b", form("b", [image.replacing("image", with: "im\u{0}age")]), [422]),
            (
                "a form in a form", "b",
                form(
                    "b",
                    [
                        image,
                        "Content-Disposition: form-data; name=\"prompt\"\r\n"
                            + "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c--\r\n",
                    ]), [200, 422]
            ),
            ("a field twice", "b", form("b", [image, image]), [422]),
            ("2,049 parts", "b", form("b", Array(repeating: tiny, count: 2049)), [413]),
            ("2,048 parts", "b", form("b", Array(repeating: tiny, count: 2048)), [422]),
        ]
        try await TestServer.attacked { server in
            for (name, boundary, body, statuses) in cases {
                let answer = try await server.send(
                    "POST", "/generate_caption?max_tokens=2",
                    headers: [("Content-Type", "multipart/form-data; boundary=\(boundary)")], body: Array(body.utf8))
                #expect(statuses.contains(answer.status), "\(name): \(answer.status) \(answer.text.prefix(300))")
                expectDiscreet(answer, name)
            }
            let texts = try await server.send(
                "POST", "/v1/embeddings", headers: [("Content-Type", "multipart/form-data; boundary=b")],
                body: Array(form("b", Array(repeating: tiny, count: 300)).utf8))
            #expect(texts.status == 200 && texts.json["data"]?.elements?.count == 300)
        }
    }

    @Test func dataURIsOfAllForms() async throws {
        let picture = TestPictures.base64(try TestPictures.png())
        let safe = picture.replacing("+", with: "-").replacing("/", with: "_")
        let escaped = try TestPictures.png().map { "%" + String(Int($0) + 256, radix: 16).suffix(2) }.joined()
        try await TestServer.attacked { server in
            for (text, isGood) in [
                ("data:;base64," + picture, true), ("data:image/png;charset=utf-8;base64," + picture, true),
                ("DATA:IMAGE/PNG;BASE64," + picture, true), ("data:text/html;base64," + picture, true),
                ("data:image/svg+xml;base64," + TestPictures.base64(Array("<svg/>".utf8)), false),
                ("data:image/png;base64;x," + picture, false), ("data:image/png;base64 ," + picture, true),
                ("data:image/png; BASE64," + picture, true), ("\r\n\tdata:image/png;base64," + picture, true),
                ("data:image/png;base64," + picture.replacing("=", with: ""), true),
                ("data:image/png;base64," + picture.replacing("=", with: "%3d").replacing("+", with: "%2B"), true),
                ("data:image/png," + escaped, true), ("data:," + escaped.uppercased(), true),
                ("data:image/png," + escaped.dropFirst(), false),
                ("data:image/png;base64\u{301}," + picture, false), ("data:image/png;base64,\u{301}" + picture, false),
                ("data:image/png;base64,," + picture, false), ("data:image/png;base64," + picture + "#a", true),
                ("data:image/png;base64,%2B" + picture, false), ("data:,", false), ("data:;base64,", false),
                ("data:", false), ("data", false), (" data:image/png;base64," + picture, true),
                ("data:image/png;base64," + safe + "-_", false), ("data:image/png," + picture, false),
                ("data:image/png;base64,data:image/png;base64," + picture, false),
                ("data:" + String(repeating: ";a=b", count: 100_000) + ";base64," + picture, true),
            ] {
                for field in ["image", "images"] {
                    let image: JSONValue = field == "image" ? .string(text) : [.string(text)]
                    let answer = try await server.post(
                        "/similarity", .object([.init(field, image), .init("text", "a")]))
                    #expect(answer.status == (isGood ? 200 : 400), "\(text.prefix(40)): \(answer.text.prefix(300))")
                    expectDiscreet(answer)
                }
            }
        }
    }

    @Test func tensorsThatLie() async throws {
        func tensor(_ members: String) -> String { #"{"inputs": [{\#(members)}]}"# }
        let data = #""data": ["a"]"#, bytes = #""datatype": "BYTES""#
        let good = #"{"name": "text", "shape": [1], \#(bytes), \#(data)}"#, id = String(repeating: "i", count: 257)
        try await TestServer.attacked { server in
            for (body, isGood) in [
                (tensor(#""name": "text", "shape": [1], \#(bytes), \#(data)"#), true),
                (tensor(#""name": "text", "shape": [1.0, 1], \#(bytes), \#(data)"#), true),
                (tensor(#""name": "text", "shape": [1], "datatype": "FP32", \#(data)"#), false),
                (tensor(#""name": "text", "shape": [1], "datatype": "bytes", \#(data)"#), false),
                (tensor(#""name": "text", "shape": [1], "datatype": 5, \#(data)"#), false),
                (tensor(#""name": "text", "shape": "1", \#(bytes), \#(data)"#), false),
                (tensor(#""name": "text", "shape": [[1]], \#(bytes), \#(data)"#), false),
                (tensor(#""name": "text", "shape": [], \#(bytes), \#(data)"#), false),
                (tensor(#""name": "text", "shape": [1,1,1,1,1,1,1,1,1], \#(bytes), \#(data)"#), false),
                (tensor(#""name": "text", "shape": [18446744073709551617], \#(bytes), \#(data)"#), false),
                (tensor(#""name": "text", "shape": [2], \#(bytes), \#(data)"#), false),
                (tensor(#""name": "text", "shape": [-1, -1], \#(bytes), \#(data)"#), false),
                (tensor(#""name": "text", "shape": [1], \#(bytes), "data": [["a"]]"#), false),
                (tensor(#""name": "text", "shape": [1], \#(bytes), "data": [1]"#), false),
                (tensor(#""name": "text", "shape": [1], \#(bytes), "data": "a""#), false),
                (tensor(#""name": "weights", "shape": [1], \#(bytes), \#(data)"#), false),
                (tensor(#""name": "text", "shape": [1], \#(bytes), "parameters": {"binary_data_size": "7"}"#), false),
                (tensor(#""name": "text", "shape": [1], \#(bytes), "parameters": {"binary_data_size": 0.5}"#), false),
                (
                    tensor(
                        #""name": "text", "shape": [1], \#(bytes), "parameters": {"shared_memory_region": "a"}"#
                    ),
                    false
                ),
                (#"{"inputs": [{}, {}]}"#, false), (#"{"inputs": {}}"#, false), (#"{"inputs": [null]}"#, false),
                (
                    #"{"inputs": [\#(good)], "outputs": [{"name": "hidden"}]}"#,
                    false
                ),
                (
                    #"{"inputs": [\#(good)], "outputs": [{"name": "caption"}]}"#,
                    false
                ),
                (
                    #"{"id": "\#(id)", "inputs": [\#(good)]}"#,
                    false
                ),
            ] {
                let answer = try await server.post("/v2/models/tiny-coca/infer", json: body)
                #expect(answer.status == (isGood ? 200 : 400), "\(body.prefix(200)): \(answer.text)")
                expectDiscreet(answer)
            }
            // A text of two bytes behind its length: the right one, and others.
            let head = tensor(#""name": "text", "shape": [1], \#(bytes), "parameters": {"binary_data_size": 6}"#)
            for (length, status) in [(2, 200), (1, 400), (3, 400), (1000, 400), (UInt32.max, 400)] as [(UInt32, Int)] {
                let tail = withUnsafeBytes(of: length.littleEndian) { Array($0) } + Array("ab".utf8)
                let answer = try await server.send(
                    "POST", "/v2/models/tiny-coca/infer",
                    headers: [("Inference-Header-Content-Length", String(head.utf8.count))],
                    body: Array(head.utf8) + tail)
                #expect(answer.status == status, "\(length): \(answer.text)")
            }
            let body = tensor(#""name": "text", "shape": [1], \#(bytes), \#(data)"#)
            for length in ["", "x", "1e2", "0x10", "-0x1", "\(body.utf8.count + 1)", "1", "5 5"] {
                let answer = try await server.post(
                    "/v2/models/tiny-coca/infer", json: body, headers: [("Inference-Header-Content-Length", length)])
                #expect(answer.status == 400, "\(length): \(answer.text)")
            }
        }
    }

    /// Every address that the server describes, with bodies that fit none.
    @Test func nonsenseIsRefusedDiscreetlyEverywhere() async throws {
        let bodies: [(String?, [UInt8])] = [
            (nil, []), ("application/json", Array("{".utf8)), ("application/json", Array("[]".utf8)),
            ("application/json", Array(#"{"vips": 1}"#.utf8)), ("application/json", Array(#"{"model": 5}"#.utf8)),
            ("application/json", Array(#"{"model": "none"}"#.utf8)), ("application/json", [0xFF, 0xFE, 0, 1]),
            ("multipart/form-data", Array("--b".utf8)), ("multipart/form-data; boundary=b", Array("--b--".utf8)),
            ("application/octet-stream", TestPictures.zeros(1000)),
            ("image/png", [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]),
            ("application/x-www-form-urlencoded", Array("image=/etc/passwd".utf8)), ("text/plain", Array("hello".utf8)),
        ]
        try await TestServer.attacked { server in
            let paths = try #require(try await server.get("/openapi.json").json["paths"]?.members)
            #expect(paths.count > 15)
            for path in paths {
                for model in ["tiny-coca", "none", "%2e%2e%2f", "%00"] {
                    let address = path.name.replacing("{model}", with: model).replacing("{version}", with: "1")
                    for method in ["GET", "POST", "DELETE"] {
                        for (type, body) in method == "POST" ? bodies : [(nil, [])] {
                            let answer = try await server.send(
                                method, address, headers: type.map { [("Content-Type", $0)] } ?? [],
                                body: method == "POST" ? body : nil)
                            #expect(
                                answer.status < 500,
                                "\(method) \(address) \(type ?? ""): \(answer.status) \(answer.text)")
                            // The body that names a library is quoted where its field is refused.
                            if !body.starts(with: Array(#"{"vips"#.utf8)) {
                                expectDiscreet(answer, "\(method) \(address)")
                            }
                            #expect(answer["x-request-id"]?.count == 32)
                        }
                    }
                    if !path.name.contains("{model}") { break }
                }
            }
        }
    }

    /// Addresses of this network where the server was told to fetch pictures.
    @Test func addressesOfThisNetworkAreNotFetched() async throws {
        try await TestServer.attacked(configure: { $0.imageFetching = ImageFetchOptions() }) { server in
            for address in [
                "http://127.0.0.1/", "http://127.0.0.1:\(server.port)/v2", "http://169.254.169.254/latest/meta-data/",
                "http://[::ffff:127.0.0.1]/", "http://10.0.0.1/", "http://0.0.0.0/", "http://2130706433/",
                "http://user@example.com/", "file:///etc/passwd", "http://localhost/",
            ] {
                let image = JSONValue.string(address)
                let caption = try await server.post("/generate_caption", ["image": image])
                #expect(caption.status == 422, "\(address): \(caption.text)")
                let vector = try await server.post("/v1/embeddings", ["input": [["image": image]]])
                #expect(vector.status == 400, "\(address): \(vector.text)")
                for answer in [caption, vector] {
                    expectDiscreet(answer, address)
                    #expect(!answer.text.contains("127.") && !answer.text.contains("169.254"), "\(answer.text)")
                }
            }
            #expect(server.log.all.filter { $0.contains("route=/v2 ") } == [])
        }
    }

    /// A model whose folder was tampered with is not taken, and the answer does not say where it lies.
    @Test func reloadsThatFailTellNoPaths() async throws {
        try await withTemporaryFolder { folder in
            let model = folder + "/model"
            try TinyArtifact.write(.coca, to: model)
            try await TestServer.attacked(configure: { $0.models = [ModelArgument(folder: model)] }) { server in
                let manifest = try Files.read(model + "/artifact.json"), graph = try Files.read(model + "/text.onnx")
                for (file, bytes) in [
                    ("text.onnx", graph + [0]), ("text.onnx", Array("no model".utf8)),
                    ("artifact.json", Array("{".utf8)),
                    (
                        "artifact.json",
                        Array(
                            String(decoding: manifest, as: UTF8.self).replacing("text.onnx", with: "../text.onnx").utf8)
                    ),
                ] {
                    try Files.replace(model + "/" + file, with: bytes)
                    let answer = try await server.post("/admin/reload", [:])
                    #expect(answer.status == 409, "\(answer.text)")
                    expectDiscreet(answer, file)
                    #expect(!answer.text.contains(folder))
                    #expect(try await server.isAlive())
                    try Files.replace(model + "/text.onnx", with: graph)
                    try Files.replace(model + "/artifact.json", with: manifest)
                }
                #expect(try await server.post("/admin/reload", [:]).status == 200)
            }
        }
    }
}
