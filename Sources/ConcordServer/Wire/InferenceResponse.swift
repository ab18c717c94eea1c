import ConcordCore

/// The answer to an inference request of the Open Inference Protocol.
struct InferenceResponse: Sendable {
    let model: String
    let version: String
    let id: String?
    /// Unit vectors `[items, width]`; `nil` when they were not asked for.
    let embeddings: [[Float]]?
    /// A caption an item; `nil` when they were not asked for.
    let captions: [String]?
    let binaryOutputs: Set<InferenceRequest.Output>

    /// The body, and the length of its JSON where bytes follow it.
    func body() -> (bytes: [UInt8], headerLength: Int?) {
        var binary: [UInt8] = []
        var output = JSONBytes(capacity: 512)
        output.raw(#"{"model_name":"#)
        output.value(.string(model))
        output.raw(#","model_version":"#)
        output.value(.string(version))
        if let id {
            output.raw(#","id":"#)
            output.value(.string(id))
        }
        output.raw(#","outputs":["#)
        if let embeddings {
            output.raw(#"{"name":"embedding","datatype":"FP32","shape":"#)
            output.value([.integer(embeddings.count), .integer(embeddings.first?.count ?? 0)])
            if binaryOutputs.contains(.embedding) {
                let start = binary.count
                for vector in embeddings {
                    vector.map(\.bitPattern.littleEndian).withUnsafeBytes { binary.append(contentsOf: $0) }
                }
                Self.writeSize(binary.count - start, to: &output)
            } else {
                // Row by row, without the brackets of rows.
                output.raw(#","data":"#)
                output.vector(embeddings.flatMap { $0 })
            }
            output.raw("}")
        }
        if let captions {
            if embeddings != nil { output.raw(",") }
            output.raw(#"{"name":"caption","datatype":"BYTES","shape":"#)
            output.value([.integer(captions.count)])
            if binaryOutputs.contains(.caption) {
                let start = binary.count
                for caption in captions {
                    withUnsafeBytes(of: UInt32(caption.utf8.count).littleEndian) { binary.append(contentsOf: $0) }
                    binary.append(contentsOf: caption.utf8)
                }
                Self.writeSize(binary.count - start, to: &output)
            } else {
                output.raw(#","data":"#)
                output.value(.array(captions.map(JSONValue.string)))
            }
            output.raw("}")
        }
        output.raw("]}")
        guard !binaryOutputs.isEmpty else { return (output.bytes, nil) }
        return (output.bytes + binary, output.bytes.count)
    }

    private static func writeSize(_ count: Int, to output: inout JSONBytes) {
        output.raw(#","parameters":{"binary_data_size":"#)
        output.integer(count)
        output.raw("}")
    }
}
