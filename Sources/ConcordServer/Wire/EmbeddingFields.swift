import ConcordCore

/// The fields of `POST /v1/embeddings` and `POST /v2/embed`: OpenAI's, and those that clients of infinity, Jina, Cohere and
/// Voyage send.
struct EmbeddingFields: FieldGroup {
    static let definition = FieldDefinition(EmbeddingFields())

    let model = Field<TextKind>.model
    let input = Field(
        "input", EmbeddingInputKind(),
        "A text, a picture as a data URI, token ids, an object with text, image or content; or a list of them.")
    let encodingFormat = Field("encoding_format", .choice(EmbeddingRequest.formatNames))
    let dimensions = Field<IntegerKind>.dimensions
    let user = Field<UnusedKind>.user
    let modality = Field(
        "modality", .choice(["text": EmbeddingRequest.Modality.text, "image": .image]),
        "What the strings of input are; without it those that are data URIs are pictures, and the others texts.")
    let texts = Field("texts", .list(of: FilledTextKind(), upTo: EmbeddingRequest.Limits.inputs), "Cohere's texts.")
    let images = Field("images", .list(of: ImageKind(), upTo: EmbeddingRequest.Limits.inputs), "Cohere's pictures.")
    let inputs = Field(
        "inputs", .list(of: ObjectKind<ContentFields>(), upTo: EmbeddingRequest.Limits.inputs),
        "Cohere's and Voyage's texts and pictures.")
    let inputType = Field("input_type", .unused(["type": "string"]), "Accepted and not used.")
    let embeddingTypes = Field(
        "embedding_types", .list(of: ChoiceKind<EmbeddingRequest.Format>.choice(EmbeddingRequest.formatNames), upTo: 8),
        "Cohere's formats.")
    let outputDimension = Field("output_dimension", Field<IntegerKind>.dimensions.kind, "As dimensions.")
    let truncate = Field(
        "truncate", TruncationKind(), "Whether texts that are too long lose their ends, or are refused.")
    let truncation = Field("truncation", .flag, "As truncate.")
    let normalized = Field("normalized", .only([true], "Vectors are always of length 1."))
    let embeddingType = Field("embedding_type", .choice(EmbeddingRequest.formatNames), "As encoding_format.")
    let task = Field("task", .unused(["type": "string"]), "Accepted and not used.")
    let lateChunking = Field("late_chunking", .only([false], "late_chunking is not supported."))
    let maxTokens = Field(
        "max_tokens", .only([], "max_tokens is not supported; the model's context is the limit."))
    let priority = Field("priority", .unused(["type": "integer"]), "Accepted and not used.")
    let outputDtype = Field("output_dtype", .choice(["float": EmbeddingRequest.Format.float]))
    let errorPolicy = Field<ChoiceKind<Bool>>.errorPolicy

    /// Cohere's and Voyage's `{"content": [{"type": …}]}`, with one part.
    struct ContentFields: FieldGroup {
        static let definition = FieldDefinition(ContentFields())

        let content = RequiredField("content", .list(of: ObjectKind<ContentPart.Fields>(), upTo: 16), "One part.")
    }
}

/// The fields of a form for `POST /v1/embeddings`; its inputs are in the order of the parts.
struct EmbeddingForm: FieldGroup {
    static let definition = FieldDefinition(EmbeddingForm())

    let file = Field("file", .list(of: ImageKind(), upTo: EmbeddingRequest.Limits.inputs), "Pictures.")
    let image = Field("image", .list(of: ImageKind(), upTo: EmbeddingRequest.Limits.inputs), "As file.")
    let images = Field("images", .list(of: ImageKind(), upTo: EmbeddingRequest.Limits.inputs), "As file.")
    let input = Field(
        "input", .list(of: TextKind(), upTo: EmbeddingRequest.Limits.inputs),
        "Files are pictures; others are texts, or pictures as data URIs.")
    let text = Field("text", .list(of: FilledTextKind(), upTo: EmbeddingRequest.Limits.inputs), "Texts.")
    let texts = Field("texts", .list(of: FilledTextKind(), upTo: EmbeddingRequest.Limits.inputs), "As text.")
    let model = Field<TextKind>.model
    let encodingFormat = Field("encoding_format", .choice(EmbeddingRequest.formatNames))
    let dimensions = Field<IntegerKind>.dimensions
    let truncate = Field("truncate", .flag, "Whether texts that are too long lose their ends, or are refused.")
    let user = Field<UnusedKind>.user
    let errorPolicy = Field<ChoiceKind<Bool>>.errorPolicy
}

/// The value of `input`, which ``EmbeddingRequest`` reads as a whole.
struct EmbeddingInputKind: FieldKind {
    /// Jina's `{"text": …}` or `{"image": …}`, or an object with `content`.
    struct ObjectFields: FieldGroup {
        static let definition = FieldDefinition(ObjectFields())

        let text = Field("text", .text)
        let image = Field("image", .image)
        let content = Field("content", .list(of: ObjectKind<ContentPart.Fields>(), upTo: 16), "One part.")
    }

    var schema: JSONValue {
        let ids: JSONValue = ["type": "array", "items": ["type": "integer", "minimum": 0]]
        let one: [JSONValue] = [["type": "string", "minLength": 1], ObjectFields.definition.schema]
        let entries: JSONValue = [
            "type": "array", "items": ["oneOf": .array(one + [ids])],
            "maxItems": .integer(EmbeddingRequest.Limits.inputs),
        ]
        return ["anyOf": .array(one + [ids, entries])]
    }

    func value(of json: JSONValue, _ name: String) throws(ServingError) -> JSONValue { json }
}

/// Jina's flag, or Cohere's word.
struct TruncationKind: FieldKind {
    private static let words: ChoiceKind<Bool> = .choice(["NONE": false, "END": true, "none": false, "end": true])

    var schema: JSONValue { ["oneOf": [["type": "boolean"], Self.words.schema]] }

    func value(of json: JSONValue, _ name: String) throws(ServingError) -> Bool {
        if let flag = json.bool { return flag }
        return try Self.words.value(of: json, name)
    }
}

extension Field where Kind == TextKind {
    static let model = Field("model", .text, "The model's name; the first model of the server without it.")
}

extension Field where Kind == IntegerKind {
    static let dimensions = Field(
        "dimensions", .integer(in: 1...65_536), "The first numbers of each vector, made a unit vector again.")
}

extension Field where Kind == UnusedKind {
    static let user = Field("user", .unused(["type": "string"]), "Accepted and not used.")
}

extension Field where Kind == ChoiceKind<Bool> {
    /// Puts an error in the place of a failed item's vector.
    static let errorPolicy = Field(
        "error_policy", .choice(["strict": false, "per_item": true]),
        "per_item: an input that fails has an error in place of its vector, and the others have vectors.")
}
