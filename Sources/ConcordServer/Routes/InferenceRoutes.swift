import ConcordCore
import ConcordRuntime
import ConcordText
import HTTPTypes
import HummingbirdCore

/// The Open Inference Protocol (KServe v2): encoded images or texts in, vectors and captions out.
enum InferenceRoutes {
    static let all: [Route] =
        [server, live, ready] + routes(of: "/v2/models/{model}") + routes(of: "/v2/models/{model}/versions/{version}")

    static let extensions = ["binary_tensor_data", "model_repository"]

    private static let server = Route(
        get: "/v2", summary: "Server metadata (Open Inference Protocol).", access: .open,
        errors: .inference,
        handler: { _ in
            .json([
                "name": "concord", "version": .string(version),
                "extensions": .array(extensions.map(JSONValue.string)),
            ])
        })

    private static let live = Route(
        get: "/v2/health/live", summary: "Liveness: the server is running.", access: .open, errors: .inference,
        handler: { _ in .json(["live": true]) })

    /// Clients look for `live` or for `ready`, or at the status only.
    private static let ready = Route(
        get: "/v2/health/ready", summary: "Readiness of all models.", access: .open,
        errors: .inference,
        handler: { call in
            let isReady = HealthRoutes.readiness(call.state).isReady
            return HealthRoutes.answer(
                ["live": .bool(isReady), "ready": .bool(isReady)], isReady: isReady, call.state.registry.statuses)
        })

    private static func routes(of path: String) -> [Route] {
        let metadata = Route(
            get: path, summary: "Inputs and outputs of a model.", errors: .inference,
            handler: { call in try describe(call) })
        let ready = Route(
            get: path + "/ready", summary: "Readiness of a model.", access: .open,
            errors: .inference,
            handler: { call in
                try checkVersion(call)
                let status = try ModelRoutes.status(call)
                let isReady = status.state == .ready && !call.state.isDraining
                return HealthRoutes.answer(
                    ["name": .string(status.name), "ready": .bool(isReady)], isReady: isReady, [status])
            })
        let bytes: JSONValue = ["type": "string", "format": "binary"]
        let infer = Route(
            post: path + "/infer",
            summary: "Embeddings or captions of the input \"image\" (image files) or \"text\", datatype BYTES.",
            access: .scope(.embed), errors: .inference, body: .large,
            reading: InferenceRequest.reader,
            responses: [("application/json", Schemas.inferenceResponse), ("application/octet-stream", bytes)],
            handler: { call, request in try await answer(call, request) })
        return [metadata, ready, infer]
    }

    /// The only version that a model has.
    static let version = "1"

    private static func checkVersion(_ call: RouteCall) throws(ServingError) {
        guard let asked = call.parameters["version"], asked != version else { return }
        throw ServingError(.unknownModel, "The model has version \(version) only.", parameter: "version")
    }

    private static func describe(_ call: RouteCall) throws(ServingError) -> Response {
        try checkVersion(call)
        let status = try ModelRoutes.status(call), manifest = status.manifest
        let names = (manifest.graphs[.image] != nil ? ["image"] : []) + (manifest.graphs[.text] != nil ? ["text"] : [])
        let inputs = names.map { name -> JSONValue in
            ["name": .string(name), "datatype": "BYTES", "shape": [-1]]
        }
        var outputs: [JSONValue] = [
            ["name": "embedding", "datatype": "FP32", "shape": [-1, .integer(manifest.embeddingWidth)]]
        ]
        if manifest.graphs[.captionPrefill] != nil {
            outputs.append(["name": "caption", "datatype": "BYTES", "shape": [-1]])
        }
        return .json([
            "name": .string(status.name), "versions": [.string(version)], "platform": "concord",
            "inputs": .array(inputs), "outputs": .array(outputs),
        ])
    }

    private static func answer(_ call: RouteCall, _ request: InferenceRequest) async throws -> Response {
        try checkVersion(call)
        let model = try call.model(named: call.parameters["model"])
        try call.admit(items: request.inputs.count)
        let context = try call.workContext(items: request.inputs.count)
        var embeddings: [[Float]]?
        var captions: [String]?
        if request.outputs.contains(.embedding) {
            let items = try await Embedder(call: call, model: model, context: context).items(request.inputs)
            call.charge(pixels: items.reduce(0) { $0 + $1.pixels })
            embeddings = items.map(\.vector)
        }
        if request.outputs.contains(.caption) {
            if let key = call.key, !key.scopes.contains(.caption) {
                throw ServingError(
                    .forbidden, "The key is not meant for captions; it lacks the scope \"caption\".")
            }
            captions = try await self.captions(request.inputs, call, model, context)
        }
        let response = InferenceResponse(
            model: model.name, version: version, id: request.id, embeddings: embeddings, captions: captions,
            binaryOutputs: request.binaryOutputs)
        let size = (embeddings ?? []).reduce(0) { $0 + $1.count } * 12
        let (bytes, jsonLength) = try await call.state.offload(bytes: size) { () throws(ServingError) in
            response.body()
        }
        var answer = Response.bytes(
            bytes, type: jsonLength == nil ? "application/json" : "application/octet-stream")
        answer.headers[.inferenceHeaderLength] = jsonLength.map { String($0) }
        return answer
    }

    private static func captions(
        _ inputs: [RequestInput], _ call: RouteCall, _ model: ServedModel, _ context: WorkContext
    ) async throws(ServingError) -> [String] {
        var captions: [String] = []
        // Eight at a time are a batch.
        for start in stride(from: 0, to: inputs.count, by: 8) {
            let part = inputs[start..<min(start + 8, inputs.count)]
            let found = await withTaskGroup(of: (Int, Result<String, ServingError>).self) { group in
                for (index, input) in part.enumerated() {
                    guard case .image(let source) = input.content else { continue }
                    group.addTask {
                        (index, await caption(source, input.parameter, call, model, context))
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            for (_, result) in found.sorted(by: { $0.0 < $1.0 }) { captions.append(try result.get()) }
        }
        return captions
    }

    private static func caption(
        _ source: ImageSource, _ parameter: String, _ call: RouteCall, _ model: ServedModel, _ context: WorkContext
    ) async -> Result<String, ServingError> {
        do throws(ServingError) {
            let bytes = try await call.bytes(of: source, parameter: parameter, model, context)
            let options = try model.fitting(GenerationOptions(), maxTokens: nil, prompt: nil)
            let captions = try await model.caption(image: bytes, parameter: parameter, options: options, context)
            return .success(captions.first?.text ?? "")
        } catch { return .failure(error) }
    }
}
