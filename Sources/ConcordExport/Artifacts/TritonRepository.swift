import ConcordCore
import ConcordONNX
import ConcordRuntime

/// A model repository of NVIDIA's Triton Inference Server: a folder for each graph, with its configuration and, as
/// version 1, the graph itself.
enum TritonRepository {
    /// What a graph's batches have at the most.
    private static let maximumBatchSize = 16
    /// What Triton waits for further requests at the most, in microseconds.
    private static let queueDelay = 2000
    /// The length of open axes when the server warms up: also the earlier and the new tokens of a caption, which the shortest
    /// context has room for.
    private static let warmUpLength = 4

    /// Writes each graph below a folder of its role's name.
    ///
    /// - Returns: the path of each graph within the repository.
    static func write(
        _ models: [ArtifactManifest.GraphRole: OnnxModel], to folder: String
    ) throws -> [ArtifactManifest.GraphRole: String] {
        var paths: [ArtifactManifest.GraphRole: String] = [:]
        for role in ArtifactManifest.GraphRole.allCases {
            guard let model = models[role] else { continue }
            let path = role.rawValue + "/1/model.onnx"
            try Files.makeFolder(folder + "/" + Files.parent(of: path))
            // Every model has its own weights: Triton's ONNX Runtime refuses paths that leave a model's folder.
            try model.write(
                to: folder + "/" + path,
                weights: model.weightByteCount > GraphFiles.mostInlineBytes ? .separate : .automatic)
            try Files.replace(folder + "/\(role.rawValue)/config.pbtxt", with: configuration(role.rawValue, model))
            paths[role] = path
        }
        return paths
    }

    /// The configuration of a model, in the text form of Protocol Buffers.
    static func configuration(_ name: String, _ model: OnnxModel) -> String {
        func values(_ field: String, _ values: [OnnxValueInfoProto]) -> String {
            let entries = values.map { value in
                let axes = axes(value, open: "-1")
                // Triton has no empty shapes; a number for each row is one that the model wants without its axis.
                let dims = axes.isEmpty ? "[ 1 ] reshape { shape: [ ] }" : "[ \(axes.joined(separator: ", ")) ]"
                return "  { name: \"\(value.name)\" data_type: \(type(value)) dims: \(dims) }"
            }
            return "\(field) [\n\(entries.joined(separator: ",\n"))\n]\n"
        }
        let graph = model.proto.graph
        let samples = graph.input.map { value in
            let axes = axes(value, open: "\(warmUpLength)")
            return "    inputs { key: \"\(value.name)\" value { data_type: \(type(value)) "
                + "dims: [ \(axes.isEmpty ? "1" : axes.joined(separator: ", ")) ] zero_data: true } }"
        }
        let warmUps = [1, maximumBatchSize].map { size in
            "  {\n    name: \"batch of \(size)\"\n    batch_size: \(size)\n\(samples.joined(separator: "\n"))\n  }"
        }
        return """
            name: "\(name)"
            backend: "onnxruntime"
            max_batch_size: \(maximumBatchSize)
            \(values("input", graph.input))\(values("output", graph.output))\
            dynamic_batching { max_queue_delay_microseconds: \(queueDelay) }
            model_warmup [
            \(warmUps.joined(separator: ",\n"))
            ]

            """
    }

    /// The lengths of a value's axes but the batch's.
    private static func axes(_ value: OnnxValueInfoProto, open: String) -> [String] {
        value.type.tensorType.shape.dim.dropFirst().map { $0.dimValue > 0 ? "\($0.dimValue)" : open }
    }

    private static func type(_ value: OnnxValueInfoProto) -> String {
        switch OnnxElementType(rawValue: value.type.tensorType.elemType) {
        case .float32: "TYPE_FP32"
        case .float64: "TYPE_FP64"
        case .float16: "TYPE_FP16"
        case .bfloat16: "TYPE_BF16"
        case .int64: "TYPE_INT64"
        case .int32: "TYPE_INT32"
        case .int8: "TYPE_INT8"
        case .uint8: "TYPE_UINT8"
        case .bool: "TYPE_BOOL"
        case nil: "TYPE_INVALID"
        }
    }
}
