import ConcordCore
import ConcordServer
import ConcordTestSupport
import Testing

/// The description of what routes read. It is made of what they read by, so these tests look from outside.
@Suite struct OpenAPITests {
    /// Names that clients send: those of all routes, of OpenAI, Cohere, Jina, Voyage, infinity, Triton, and some that
    /// would be read by mistake.
    private func candidates(_ document: JSONValue) -> Set<String> {
        var names: Set<String> = [
            "top_k", "min_p", "repetition_penalty", "best_of", "suffix", "echo", "logit_scale", "normalize", "pooling",
            "instruction", "prompt_name", "query", "documents", "top_n", "return_documents", "urls", "url", "files",
            "k",
            "width", "height", "format", "quality", "ready", "config", "file:1", "name", "path", "folder", "key",
            "timeout",
            "deadline", "lane", "batch", "dtype", "precision", "device", "version", "max_length", "language",
            "response",
        ]
        for path in document["paths"]?.members ?? [] {
            for operation in path.value.members ?? [] {
                for content in operation.value["requestBody"]?["content"]?.members ?? [] {
                    names.formUnion(content.value["schema"]?["properties"]?.members?.map(\.name) ?? [])
                }
                names.formUnion(operation.value["parameters"]?.elements?.compactMap { $0["name"]?.string } ?? [])
            }
        }
        return names
    }

    private func isUnknown(_ answer: TestResponse, _ field: String) -> Bool {
        answer.text.contains("The field \\\"\(field)\\\" is unknown")
    }

    /// Each route takes the fields that its description has, and no others: in JSON, in forms and in queries.
    @Test func routesReadWhatIsDescribedAndNothingElse() async throws {
        try await TestServer.with { server in
            let document = try await server.get("/openapi.json").json
            let candidates = candidates(document)
            #expect(candidates.count > 100)
            var counts: [String: Int] = [:]
            for path in try #require(document["paths"]?.members) {
                guard let operation = path.value["post"] else { continue }
                let address = path.name.replacing("{model}", with: "tiny-coca").replacing("{version}", with: "1")
                for content in try #require(operation["requestBody"]?["content"]?.members) {
                    let schema = content.value["schema"], type = content.name
                    let described = Set(schema?["properties"]?.members?.map(\.name) ?? [])
                    guard type == "application/json" || type == "multipart/form-data" else {
                        #expect(described.isEmpty && schema?["format"]?.string == "binary")
                        continue
                    }
                    counts[path.name + " " + type] = described.count
                    #expect(schema?["additionalProperties"]?.bool == false, "\(path.name)")
                    for field in candidates.union(described) {
                        let answer: TestResponse
                        if type == "application/json" {
                            // A value that no field takes, so that nothing is computed.
                            answer = try await server.post(address, .object([.init(field, ["wrong": [[]]])]))
                        } else {
                            var form = TestForm()
                            form.add(field, "\u{0}")
                            answer = try await server.post(address, form: form)
                        }
                        #expect(
                            isUnknown(answer, field) == !described.contains(field),
                            "\(path.name) \(type) \(field): \(answer.text.prefix(200))")
                    }
                }
                let parameters = operation["parameters"]?.elements ?? []
                let query = Set(
                    parameters.filter { $0["in"]?.string == "query" }.compactMap { $0["name"]?.string })
                guard !query.isEmpty else { continue }
                counts[path.name + " query"] = query.count
                for field in candidates.union(query) {
                    let answer = try await server.send("POST", address + "?\(field)=%00", body: [])
                    #expect(isUnknown(answer, field) == !query.contains(field), "\(field): \(answer.text)")
                }
            }
            for (name, least) in [
                ("/v1/embeddings application/json", 20), ("/v1/embeddings multipart/form-data", 10),
                ("/v1/chat/completions application/json", 30), ("/generate_caption application/json", 12),
                ("/generate_caption multipart/form-data", 12), ("/generate_caption query", 11),
                ("/similarity application/json", 8), ("/classify multipart/form-data", 9),
                ("/v2/models/{model}/infer application/json", 4), ("/v2/repository/index application/json", 1),
            ] {
                #expect((counts[name] ?? 0) >= least, "\(name): \(counts[name] ?? 0)")
            }
        }
    }

    /// Objects within objects, too.
    @Test func innerFieldsAreDescribed() async throws {
        try await TestServer.with { server in
            let paths = try #require(try await server.get("/openapi.json").json["paths"])
            func schema(_ path: String) -> JSONValue? {
                paths[path]?["post"]?["requestBody"]?["content"]?["application/json"]?["schema"]?["properties"]
            }
            func names(_ schema: JSONValue?) -> Set<String> { Set(schema?["properties"]?.members?.map(\.name) ?? []) }
            let message = try #require(schema("/v1/chat/completions")?["messages"]?["items"])
            let messageNames = names(message), wanted = ["role", "content", "refusal", "annotations", "tool_calls"]
            #expect(messageNames.isSuperset(of: wanted))
            #expect(message["required"] == ["role"])
            let parts = message["properties"]?["content"]?["oneOf"]?.elements?.last?["items"]
            let partNames = names(parts)
            #expect(partNames.isSuperset(of: ["type", "text", "image_url"]))
            let address = parts?["properties"]?["image_url"]?["oneOf"]?.elements?.last
            #expect(names(address) == ["url", "detail"])
            #expect(
                names(schema("/v1/chat/completions")?["stream_options"]) == ["include_usage", "include_obfuscation"])
            let tensor = schema("/v2/models/{model}/infer")?["inputs"]?["items"]
            #expect(names(tensor) == ["name", "shape", "datatype", "parameters", "data"])
            let tensorParameters = names(tensor?["properties"]?["parameters"])
            #expect(tensorParameters.contains("binary_data_size"))
            let output = schema("/v2/models/{model}/infer")?["outputs"]?["items"]
            let outputParameters = names(output?["properties"]?["parameters"])
            #expect(outputParameters.contains("binary_data"))
            let input = schema("/v1/embeddings")?["input"]?["anyOf"]?.elements ?? []
            #expect(input.contains { names($0) == ["text", "image", "content"] })
            let inputs = schema("/v1/embeddings")?["inputs"]?["items"]
            let content = names(inputs?["properties"]?["content"]?["items"])
            #expect(content.contains("image_base64"))
            // Each is refused where it has a field that is not described.
            for (path, body, name) in [
                ("/v1/chat/completions", #"{"messages": [{"role": "user", "x": 1}]}"#, "messages[0].x"),
                (
                    "/v1/chat/completions", #"{"messages": [{"role": "user", "content": [{"type": "text", "x": 1}]}]}"#,
                    "messages[0].content[0].x"
                ),
                ("/v1/chat/completions", #"{"messages": [], "stream_options": {"x": 1}}"#, "stream_options.x"),
                ("/v1/embeddings", #"{"input": [{"x": 1}]}"#, "input[0].x"),
                ("/v1/embeddings", #"{"inputs": [{"x": 1}]}"#, "inputs[0].x"),
                ("/v2/models/tiny-coca/infer", #"{"inputs": [{"x": 1}]}"#, "inputs[0].x"),
            ] {
                let answer = try await server.post(path, json: body)
                #expect(isUnknown(answer, name), "\(path) \(name): \(answer.text)")
            }
        }
    }

    @Test func headersOfWorkAreDescribed() async throws {
        try await TestServer.with { server in
            let paths = try #require(try await server.get("/openapi.json").json["paths"])
            func headers(_ path: String) -> Set<String> {
                let parameters = paths[path]?["post"]?["parameters"]?.elements ?? []
                return Set(parameters.filter { $0["in"]?.string == "header" }.compactMap { $0["name"]?.string })
            }
            for path in ["/v1/embeddings", "/similarity", "/generate_caption", "/v1/chat/completions", "/v2/embed"] {
                #expect(headers(path) == ["X-Priority", "X-Timeout-Ms"], "\(path)")
            }
            #expect(
                headers("/v2/models/{model}/infer")
                    == ["X-Priority", "X-Timeout-Ms", "Inference-Header-Content-Length"])
            #expect(headers("/admin/reload") == [])
        }
    }
}
