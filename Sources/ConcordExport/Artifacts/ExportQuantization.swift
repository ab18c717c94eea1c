import ConcordCore
import ConcordData
import ConcordEvaluate
import ConcordONNX
import ConcordRuntime

/// The effect of quantization on an export.
struct ExportQuantization: Sendable {
    let result: GraphQuantization.Result
    let speeds: [ArtifactManifest.GraphRole: GraphSpeed]
    /// The split that retrieval was measured on; nil without a data set.
    let split: String?

    /// Quantizes the graphs of a model; nil for float32, which needs nothing.
    ///
    /// - Parameters:
    ///   - sessions: the graphs of float32.
    ///   - progress: shows the batches that are run.
    ///   - write: puts quantized graphs in place of these, and opens them.
    /// - Throws: as ``QuantizationSamples`` and `QuantizationSearch`, and what `write` throws.
    static func quantize(
        _ graphs: [ArtifactManifest.GraphRole: OnnxModel], _ precision: ArtifactManifest.Precision,
        _ model: EmbeddingModel, _ sessions: GraphSessions, data: CaptionDataset?, samples: ExportSamples,
        progress: ProgressDisplay?,
        write: (_ models: [ArtifactManifest.GraphRole: OnnxModel]) throws -> GraphSessions
    ) throws -> ExportQuantization? {
        guard precision != .float32 else { return nil }
        let samples = try QuantizationSamples.collect(model, sessions, data: data, samples: samples)
        let progress = QuantizationProgress(progress)
        let result = try GraphQuantization(
            graphs: graphs, precision: precision, samples: samples, progress: progress
        ).run()
        let quantized = try write(result.models)
        var speeds: [ArtifactManifest.GraphRole: GraphSpeed] = [:]
        for (role, batches) in samples.evaluation {
            guard let batch = batches.first else { continue }
            speeds[role] = try GraphSpeed.measure(
                role, batch, float32: sessions, quantized: quantized, progress: progress)
        }
        return ExportQuantization(result: result, speeds: speeds, split: samples.split)
    }

    var json: JSONValue {
        func sum(_ size: KeyPath<QuantizationReport, Int>) -> Int {
            result.reports.values.reduce(0) { $0 + $1[keyPath: size] }
        }
        let (before, after) = (sum(\.float32ByteCount), sum(\.quantizedByteCount))
        var members: [JSONValue.Member] = [
            .init("float32_bytes", .integer(before)), .init("bytes", .integer(after)),
            .init("ratio", .number(Double(before) / Double(max(1, after)))),
        ]
        if let recall = result.recall {
            members.append(
                .init(
                    "recall_at_1",
                    [
                        "split": .string(split ?? "all"), "float32": .number(recall.float32),
                        "quantized": .number(recall.quantized),
                    ]))
        }
        let roles = ArtifactManifest.GraphRole.allCases
        members.append(
            .init("speed", .object(roles.compactMap { role in speeds[role].map { .init(role.rawValue, $0.json) } })))
        members.append(
            .init(
                "graphs",
                .object(roles.compactMap { role in result.reports[role].map { .init(role.rawValue, $0.json) } })))
        return .object(members)
    }
}
