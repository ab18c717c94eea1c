import ConcordCore

/// JSON schemas of answers, for the server's description. Those of requests are with the fields that are read.
enum Schemas {
    private static let text: JSONValue = ["type": "string"]
    private static let integer: JSONValue = ["type": "integer"]
    private static let number: JSONValue = ["type": "number"]
    private static let flag: JSONValue = ["type": "boolean"]
    private static let numbers: JSONValue = ["type": "array", "items": ["type": "number"]]
    /// Of captions: only where more tokens were asked for than the model has room for.
    private static let cut: JSONValue = [
        "type": "integer", "description": "The most tokens that there could be, where more were asked for.",
    ]

    private static func object(
        _ properties: KeyValuePairs<String, JSONValue>, required: [String] = [], isOpen: Bool = false
    ) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("type", "object"), .init("properties", .object(properties.map { .init($0.key, $0.value) })),
        ]
        if !required.isEmpty { members.append(.init("required", .array(required.map(JSONValue.string)))) }
        if !isOpen { members.append(.init("additionalProperties", false)) }
        return .object(members)
    }

    static let captionResponse = object(
        [
            "caption": text, "model": text, "tokens": integer, "log_probability": number,
            "finish_reason": ["enum": ["stop", "length"]], "image_pixels": integer, "milliseconds": number,
            "max_tokens": cut,
        ], required: ["caption", "model"])

    static let embeddingResponse = object(
        [
            "object": ["const": "list"],
            "data": [
                "type": "array",
                "items": object(
                    [
                        "object": ["enum": ["embedding", "error"]], "index": integer,
                        "embedding": ["oneOf": [numbers, text]], "truncated": flag, "error": errorObject,
                    ], required: ["object", "index"]),
            ],
            "model": text,
            "usage": object(["prompt_tokens": integer, "total_tokens": integer, "image_pixels": integer]),
        ], required: ["object", "data", "model", "usage"])

    static let cohereResponse = object(
        [
            "id": text,
            "embeddings": object([
                "float": ["type": "array", "items": numbers], "base64": ["type": "array", "items": text],
            ]),
            "response_type": ["const": "embeddings_by_type"], "meta": ["type": "object"],
        ], required: ["id", "embeddings"])

    private static let usage = object(["prompt_tokens": integer, "image_pixels": integer, "truncated_texts": integer])
    static let similarityResponse = object([
        "model": text, "similarities": ["type": "array", "items": numbers],
        "logits": ["type": "array", "items": numbers], "usage": usage,
    ])
    static let classifyResponse = object([
        "model": text,
        "results": [
            "type": "array",
            "items": object([
                "label": text,
                "scores": ["type": "array", "items": object(["label": text, "probability": number])],
            ]),
        ],
        "usage": usage,
    ])

    static let chatResponse = object(
        [
            "id": text, "object": text, "created": integer, "model": text,
            "choices": ["type": "array", "items": ["type": "object"]], "usage": ["type": "object"], "max_tokens": cut,
        ], required: ["id", "choices"])

    static let model = object(
        ["id": text, "object": ["const": "model"], "created": integer, "owned_by": text], required: ["id"], isOpen: true
    )
    static let modelList = object(["object": ["const": "list"], "data": ["type": "array", "items": model]])

    private static let tensor = object(
        [
            "name": text, "shape": ["type": "array", "items": integer], "datatype": text, "data": ["type": "array"],
            "parameters": ["type": "object"],
        ], required: ["name"])
    static let inferenceResponse = object([
        "model_name": text, "model_version": text, "id": text, "outputs": ["type": "array", "items": tensor],
    ])

    static let repositoryIndex: JSONValue = [
        "type": "array",
        "items": object(
            [
                "name": text, "version": text, "state": ["enum": ["READY", "LOADING", "UNAVAILABLE"]], "reason": text,
            ], required: ["name", "state"]),
    ]
    private static let errorObject = object([
        "message": text, "type": text, "param": ["type": ["string", "null"]], "code": ["type": ["string", "null"]],
    ])

    static func error(_ shape: ErrorShape) -> JSONValue {
        switch shape {
        case .openAI: object(["error": errorObject])
        case .inference: object(["error": text])
        case .fastAPI:
            object([
                "detail": [
                    "type": "array",
                    "items": object(["loc": ["type": "array"], "msg": text, "type": text]),
                ]
            ])
        }
    }
}
