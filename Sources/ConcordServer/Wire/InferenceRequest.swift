import ConcordCore

/// An inference request of the Open Inference Protocol (KServe v2): encoded images or texts as a `BYTES` tensor.
struct InferenceRequest: Sendable {
    enum Output: String, Sendable {
        case embedding, caption
    }

    struct Fields: FieldGroup {
        static let definition = FieldDefinition(Fields())

        let id = Field("id", .text, "Given back in the answer.")
        let parameters = Field("parameters", .object(Parameters.self))
        let inputs = RequiredField("inputs", .list(of: ObjectKind<Tensor>(), upTo: 16), "One, \"image\" or \"text\".")
        let outputs = Field("outputs", .list(of: ObjectKind<WantedOutput>(), upTo: 16), "The embedding without it.")
    }

    struct Parameters: FieldGroup {
        static let definition = FieldDefinition(Parameters())
        static let isOpen = true

        let binaryDataOutput = Field("binary_data_output", .flag, "Whether outputs are sent as bytes after the JSON.")
    }

    struct Tensor: FieldGroup {
        static let definition = FieldDefinition(Tensor())

        let name = RequiredField("name", .choice(["image": true, "text": false]))
        let shape = RequiredField("shape", .list(of: IntegerKind(range: 1...Int.max), upTo: 8))
        let datatype = RequiredField("datatype", .choice(["BYTES": true]))
        let parameters = Field("parameters", .object(TensorParameters.self))
        let data = Field(
            "data", .list(of: FilledTextKind(), upTo: InferenceRequest.maximumItems),
            "Texts, or pictures as data URIs or in base64.")
    }

    struct TensorParameters: FieldGroup {
        static let definition = FieldDefinition(TensorParameters())
        static let isOpen = true

        let binaryDataSize = Field("binary_data_size", .integer(from: 0), "Bytes after the JSON, in place of data.")
        let sharedMemoryRegion = Field("shared_memory_region", .only([], "Shared memory is not supported."))
    }

    struct WantedOutput: FieldGroup {
        static let definition = FieldDefinition(WantedOutput())

        let name = RequiredField("name", .choice(["embedding": Output.embedding, "caption": .caption]))
        let parameters = Field("parameters", .object(OutputParameters.self))
    }

    struct OutputParameters: FieldGroup {
        static let definition = FieldDefinition(OutputParameters())
        static let isOpen = true

        let binaryData = Field("binary_data", .flag, "Whether the output is sent as bytes after the JSON.")
        let classification = Field("classification", .only([0], "The extension classification is not supported."))
        let sharedMemoryRegion = Field("shared_memory_region", .only([], "Shared memory is not supported."))
    }

    struct Headers: FieldGroup {
        static let definition = FieldDefinition(Headers())

        let jsonLength = Field(
            "Inference-Header-Content-Length", .integer(from: 0), "The bytes of the JSON, where others follow it.")
    }

    let id: String?
    /// The images, or the texts.
    let inputs: [RequestInput]
    let outputs: [Output]
    /// Outputs that are sent as bytes after the JSON.
    let binaryOutputs: Set<Output>

    static let maximumItems = 2048

    /// A JSON object, with bytes after it where the head of the request says so.
    static let reader = BodyReader<InferenceRequest>(
        types: [
            ("application/json", Fields.definition.schema),
            ("application/octet-stream", ["type": "string", "format": "binary"]),
        ], headers: Headers.definition.fields
    ) { body throws(ServingError) in
        let length = try body.headers.value(Headers.definition.group.jsonLength) ?? body.bytes.count
        guard length <= body.bytes.count else {
            throw .invalid(
                nil, "Inference-Header-Content-Length is \(length), but the body has \(body.bytes.count) bytes.")
        }
        return try InferenceRequest(
            RequestFields(RequestJSON.parse(body.bytes[..<length])), binary: body.bytes[length...])
    }

    /// - Parameters:
    ///   - fields: the JSON of the request.
    ///   - binary: the bytes after it.
    private init(_ fields: RequestFields<Fields>, binary: ArraySlice<UInt8>) throws(ServingError) {
        id = try fields.value(\.id)
        guard (id?.utf8.count ?? 0) <= 256 else { throw .invalid("id", "id has more than 256 bytes.") }
        let isBinary = try fields.value(\.parameters)?.value(\.binaryDataOutput) ?? false
        let tensors = try fields.value(\.inputs)
        guard !tensors.isEmpty else { throw .missing("inputs") }
        guard tensors.count == 1 else {
            throw .invalid("inputs", "One input is expected, \"image\" or \"text\".", code: "unsupported")
        }
        inputs = try Self.inputs(try tensors.value(0), binary)

        var outputs: [Output] = []
        var binaryOutputs: Set<Output> = []
        for wanted in try fields.value(\.outputs)?.values() ?? [] {
            let output = try wanted.value(\.name)
            guard !outputs.contains(output) else {
                throw .invalid(wanted.name(\.name), "The output \"\(output.rawValue)\" is asked for twice.")
            }
            outputs.append(output)
            if try wanted.value(\.parameters)?.value(\.binaryData) ?? false { binaryOutputs.insert(output) }
        }
        self.outputs = outputs.isEmpty ? [.embedding] : outputs
        self.binaryOutputs = isBinary ? Set(self.outputs) : binaryOutputs
        if self.outputs.contains(.caption), inputs.contains(where: { !$0.isImage }) {
            throw .invalid("outputs", "Captions are of pictures; the input is \"text\".", code: "unsupported")
        }
    }

    private static func inputs(
        _ fields: RequestFields<Tensor>, _ binary: ArraySlice<UInt8>
    ) throws(ServingError) -> [RequestInput] {
        let isImage = try fields.value(\.name)
        _ = try fields.value(\.datatype)
        let count = try elementCount(fields)
        let size = try fields.value(\.parameters)?.value(\.binaryDataSize)
        let data = try fields.value(\.data)
        guard (size == nil) == (data != nil) else {
            throw .invalid(fields.name(\.data), "Give either data or the parameter binary_data_size.")
        }
        var inputs: [RequestInput] = []
        if let size {
            // The one tensor takes all bytes, so that no sum is needed that could overflow.
            guard size == binary.count else {
                throw .invalid(
                    fields.name(\.parameters) + ".binary_data_size",
                    "binary_data_size is \(size), but \(binary.count) bytes follow the JSON.")
            }
            for (index, bytes) in try elements(binary, count: count).enumerated() {
                inputs.append(try input(isImage, bytes, parameter: "\(isImage ? "image" : "text")[\(index)]"))
            }
        }
        guard let data else { return inputs }
        guard binary.isEmpty else {
            throw .invalid(nil, "\(binary.count) bytes follow the JSON, which no input takes.")
        }
        guard data.count == count else {
            throw .invalid(fields.name(\.data), "data has \(data.count) entries, the shape says \(count).")
        }
        for (index, text) in try data.values().enumerated() {
            let parameter = data.name(index)
            if isImage {
                let source = try ImageText.source(text, parameter: parameter, allowsBare: true)
                inputs.append(RequestInput(content: .image(source), parameter: parameter))
            } else {
                inputs.append(try self.text(text, parameter: parameter))
            }
        }
        return inputs
    }

    private static func text(_ text: String, parameter: String) throws(ServingError) -> RequestInput {
        try ImageText.refuseDataURI(in: text, parameter: parameter)
        return RequestInput(content: .text(text), parameter: parameter)
    }

    private static func input(
        _ isImage: Bool, _ bytes: ArraySlice<UInt8>, parameter: String
    ) throws(ServingError) -> RequestInput {
        if isImage {
            return RequestInput(
                content: .image(.bytes(try ImageText.checked(Array(bytes), parameter: parameter))), parameter: parameter
            )
        }
        guard let text = String(validating: bytes, as: UTF8.self), !text.isEmpty else {
            throw .invalid(parameter, "\(parameter) must be UTF-8 with a character.")
        }
        return try self.text(text, parameter: parameter)
    }

    /// The product of the shape, checked at each step.
    private static func elementCount(_ fields: RequestFields<Tensor>) throws(ServingError) -> Int {
        let shape = try fields.value(\.shape)
        guard !shape.isEmpty else { throw .missing(fields.name(\.shape)) }
        var count = 1
        for length in try shape.values() {
            let (product, overflows) = count.multipliedReportingOverflow(by: length)
            guard !overflows, product <= maximumItems else {
                throw .invalid(
                    fields.name(\.shape), "The shape has more than \(maximumItems) items.", code: "too_many")
            }
            count = product
        }
        return count
    }

    /// `count` elements, each after its length in four bytes, little-endian.
    private static func elements(
        _ binary: ArraySlice<UInt8>, count: Int
    ) throws(ServingError) -> [ArraySlice<UInt8>] {
        var rest = binary
        var elements: [ArraySlice<UInt8>] = []
        while elements.count < count {
            guard rest.count >= 4 else { throw .invalid("inputs[0]", "The bytes end before the \(count) elements do.") }
            let length = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(4)
            guard length <= rest.count else {
                throw .invalid("inputs[0]", "An element says it has \(length) bytes, but \(rest.count) are left.")
            }
            elements.append(rest.prefix(length))
            rest = rest.dropFirst(length)
        }
        guard rest.isEmpty else { throw .invalid("inputs[0]", "\(rest.count) bytes follow the last element.") }
        return elements
    }
}
