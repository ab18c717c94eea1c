import ConcordCore

/// An inference request of the Open Inference Protocol (KServe v2): encoded pictures or texts as a `BYTES` tensor.
struct InferenceRequest: Sendable {
    enum Output: String, Sendable, CaseIterable {
        case embedding, caption
    }

    let id: String?
    /// The pictures, or the texts.
    let inputs: [EmbeddingInput]
    let outputs: [Output]
    /// Outputs that are sent as bytes after the JSON.
    let binaryOutputs: Set<Output>

    static let maximumItems = 2048

    /// - Parameters:
    ///   - body: the JSON of the request.
    ///   - binary: the bytes after it, where the header `Inference-Header-Content-Length` says that there are some.
    init(_ body: JSONValue, binary: ArraySlice<UInt8>) throws(RequestFailure) {
        let fields = try RequestFields(body, known: ["id", "parameters", "inputs", "outputs"])
        id = try fields.text("id")
        guard (id?.utf8.count ?? 0) <= 256 else { throw .invalid("id", "id has more than 256 bytes.") }
        let isBinary = try Self.flag("binary_data_output", of: fields["parameters"])
        guard let tensors = try fields.list("inputs", maximum: 16), !tensors.isEmpty else { throw .missing("inputs") }
        guard tensors.count == 1 else {
            throw .invalid("inputs", "One input is expected, \"image\" or \"text\".", code: "unsupported")
        }
        inputs = try Self.inputs(tensors[0], binary)

        var outputs: [Output] = []
        var binaryOutputs: Set<Output> = []
        for (index, value) in (try fields.list("outputs", maximum: 16) ?? []).enumerated() {
            let inner = try RequestFields(value, path: "outputs[\(index)]", known: ["name", "parameters"])
            let name = try inner.requiredText("name")
            guard let output = Output(rawValue: name) else {
                throw .invalid(inner.name("name"), "Outputs are \"embedding\" and \"caption\".")
            }
            guard !outputs.contains(output) else {
                throw .invalid(inner.name("name"), "The output \"\(name)\" is asked for twice.")
            }
            outputs.append(output)
            if try Self.flag("binary_data", of: inner["parameters"]) { binaryOutputs.insert(output) }
        }
        self.outputs = outputs.isEmpty ? [.embedding] : outputs
        self.binaryOutputs = isBinary ? Set(self.outputs) : binaryOutputs
        if self.outputs.contains(.caption), inputs.contains(where: { !$0.isImage }) {
            throw .invalid("outputs", "Captions are of pictures; the input is \"text\".", code: "unsupported")
        }
    }

    private static func flag(_ name: String, of parameters: JSONValue?) throws(RequestFailure) -> Bool {
        guard let value = parameters?[name], !value.isNull else { return false }
        guard let flag = value.bool else { throw .invalid("parameters.\(name)", "\(name) must be true or false.") }
        return flag
    }

    private static func inputs(
        _ tensor: JSONValue, _ binary: ArraySlice<UInt8>
    ) throws(RequestFailure) -> [EmbeddingInput] {
        let fields = try RequestFields(
            tensor, path: "inputs[0]", known: ["name", "shape", "datatype", "parameters", "data"])
        let name = try fields.requiredText("name")
        guard name == "image" || name == "text" else {
            throw .invalid(fields.name("name"), "Inputs are \"image\" and \"text\".")
        }
        guard try fields.requiredText("datatype") == "BYTES" else {
            throw .invalid(fields.name("datatype"), "The datatype of \(name) is BYTES.")
        }
        let count = try elementCount(fields)
        let size = fields["parameters"]?["binary_data_size"]
        guard (size == nil) == (fields["data"] != nil) else {
            throw .invalid(fields.name("data"), "Give either data or the parameter binary_data_size.")
        }
        if let size {
            guard let size = size.int, size >= 0 else {
                throw .invalid(fields.name("parameters.binary_data_size"), "binary_data_size must be 0 or more.")
            }
            // The one tensor takes all bytes, so that no sum is needed that could overflow.
            guard size == binary.count else {
                throw .invalid(
                    fields.name("parameters.binary_data_size"),
                    "binary_data_size is \(size), but \(binary.count) bytes follow the JSON.")
            }
            var inputs: [EmbeddingInput] = []
            for (index, bytes) in try elements(binary, count: count).enumerated() {
                inputs.append(try input(name, bytes, parameter: "\(name)[\(index)]"))
            }
            return inputs
        }
        guard binary.isEmpty else {
            throw .invalid(nil, "\(binary.count) bytes follow the JSON, which no input takes.")
        }
        let texts = try fields.texts("data", maximum: maximumItems) ?? []
        guard texts.count == count else {
            throw .invalid(fields.name("data"), "data has \(texts.count) entries, the shape says \(count).")
        }
        var inputs: [EmbeddingInput] = []
        for (index, text) in texts.enumerated() {
            let parameter = "inputs[0].data[\(index)]"
            if name == "text" {
                inputs.append(EmbeddingInput(content: .text(text), parameter: parameter))
            } else {
                let source = try ImageText.source(text, parameter: parameter, allowsBare: true)
                inputs.append(EmbeddingInput(content: .image(source), parameter: parameter))
            }
        }
        return inputs
    }

    private static func input(
        _ name: String, _ bytes: ArraySlice<UInt8>, parameter: String
    ) throws(RequestFailure) -> EmbeddingInput {
        if name == "image" {
            return EmbeddingInput(
                content: .image(.bytes(try ImageText.checked(Array(bytes), parameter: parameter))), parameter: parameter
            )
        }
        guard let text = String(validating: bytes, as: UTF8.self), !text.isEmpty else {
            throw .invalid(parameter, "\(parameter) must be UTF-8 with a character.")
        }
        return EmbeddingInput(content: .text(text), parameter: parameter)
    }

    /// The product of the shape, checked at each step.
    private static func elementCount(_ fields: RequestFields) throws(RequestFailure) -> Int {
        guard let shape = try fields.list("shape", maximum: 8), !shape.isEmpty else {
            throw .missing(fields.name("shape"))
        }
        var count = 1
        for dimension in shape {
            guard let length = dimension.int, length > 0 else {
                throw .invalid(fields.name("shape"), "The shape must hold whole numbers above 0.")
            }
            let (product, overflows) = count.multipliedReportingOverflow(by: length)
            guard !overflows, product <= maximumItems else {
                throw .invalid(
                    fields.name("shape"), "The shape has more than \(maximumItems) items.", code: "too_many")
            }
            count = product
        }
        return count
    }

    /// `count` elements, each after its length in four bytes, little-endian.
    private static func elements(
        _ binary: ArraySlice<UInt8>, count: Int
    ) throws(RequestFailure) -> [ArraySlice<UInt8>] {
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
