import ConcordCore

/// JSON schemas of requests and answers, for the server's description.
enum Schemas {
    private static let text: JSONValue = ["type": "string"]
    private static let texts: JSONValue = ["type": "array", "items": ["type": "string"]]
    private static let integer: JSONValue = ["type": "integer"]
    private static let number: JSONValue = ["type": "number"]
    private static let flag: JSONValue = ["type": "boolean"]
    private static let numbers: JSONValue = ["type": "array", "items": ["type": "number"]]
    private static let file: JSONValue = ["type": "string", "format": "binary"]
    private static let image: JSONValue = [
        "type": "string", "description": "A picture (JPEG, PNG, WebP, GIF) as a data URI or in base64.",
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

    static let captionRequest = object(
        [
            "image": image, "model": text, "prompt": text, "strategy": ["enum": ["greedy", "beam", "sample"]],
            "beams": integer, "max_tokens": integer, "temperature": number, "top_p": number, "top_k": integer,
            "seed": integer, "stream": flag,
        ], required: ["image"])
    static let captionForm = object(
        [
            "image": file, "model": text, "prompt": text, "strategy": ["enum": ["greedy", "beam", "sample"]],
            "beams": integer, "max_tokens": integer, "stream": flag,
        ], required: ["image"], isOpen: true)
    static let captionResponse = object(
        [
            "caption": text, "model": text, "tokens": integer, "log_probability": number,
            "finish_reason": ["enum": ["stop", "length"]], "image_pixels": integer, "milliseconds": number,
        ], required: ["caption", "model"])

    static let embeddingRequest = object(
        [
            "input": [
                "description":
                    "A text, texts, token ids, lists of them, data URIs of pictures, or objects with text or image.",
                "oneOf": [["type": "string"], ["type": "array"], ["type": "object"]],
            ],
            "model": text, "encoding_format": ["enum": ["float", "base64"]], "dimensions": integer, "user": text,
            "modality": ["enum": ["text", "image"]], "texts": texts, "images": ["type": "array", "items": image],
            "inputs": ["type": "array"], "input_type": text, "embedding_types": texts, "output_dimension": integer,
            "truncate": ["oneOf": [["type": "boolean"], ["enum": ["NONE", "END"]]]], "truncation": flag,
            "normalized": flag, "embedding_type": ["enum": ["float", "base64"]], "task": text, "late_chunking": flag,
            "max_tokens": integer, "priority": integer, "output_dtype": ["enum": ["float"]],
            "error_policy": ["enum": ["strict", "per_item"]],
        ])
    static let embeddingForm = object(
        [
            "file": ["type": "array", "items": file], "text": texts, "model": text,
            "encoding_format": ["enum": ["float", "base64"]], "dimensions": integer,
        ], isOpen: true)
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

    static let comparisonRequest = object([
        "model": text, "images": ["type": "array", "items": image], "image": image, "texts": texts, "text": text,
        "labels": texts, "template": text, "truncate": flag,
    ])
    static let comparisonForm = object(
        [
            "model": text, "image": ["type": "array", "items": file], "text": texts, "template": text,
        ], isOpen: true)
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

    static let chatRequest = object(
        [
            "model": text, "messages": ["type": "array", "items": ["type": "object"]], "max_tokens": integer,
            "max_completion_tokens": integer, "temperature": number, "top_p": number, "n": integer, "seed": integer,
            "stream": flag, "stream_options": ["type": "object"], "user": text, "prompt": text,
        ], required: ["messages"], isOpen: true)
    static let chatResponse = object(
        [
            "id": text, "object": text, "created": integer, "model": text,
            "choices": ["type": "array", "items": ["type": "object"]], "usage": ["type": "object"],
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
    static let inferenceRequest = object(
        [
            "id": text, "parameters": ["type": "object"], "inputs": ["type": "array", "items": tensor],
            "outputs": ["type": "array", "items": tensor],
        ], required: ["inputs"])
    static let inferenceResponse = object([
        "model_name": text, "model_version": text, "id": text, "outputs": ["type": "array", "items": tensor],
    ])

    static let repositoryIndexRequest = object(["ready": flag])
    static let repositoryIndex: JSONValue = [
        "type": "array",
        "items": object(
            [
                "name": text, "version": text, "state": ["enum": ["READY", "LOADING", "UNAVAILABLE"]], "reason": text,
            ], required: ["name", "state"]),
    ]
    static let repositoryChange = object(["parameters": object([:])])
    static let repositoryUnload = object(["parameters": object(["unload_dependents": flag])])

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
