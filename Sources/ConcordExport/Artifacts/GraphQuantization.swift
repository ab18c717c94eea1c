import ConcordCore
import ConcordONNX
import ConcordRuntime
import Foundation

/// Makes the graphs of a model ones of 8-bit numbers that are as good as they have to be.
struct GraphQuantization: Sendable {
    typealias Models = [ArtifactManifest.GraphRole: OnnxModel]

    /// What came of it.
    struct Result: Sendable {
        var models: Models = [:]
        var reports: [ArtifactManifest.GraphRole: QuantizationReport] = [:]
        /// Share of pictures and captions that find each other first, with graphs of float32 and with quantized ones;
        /// nil without a data set.
        var recall: (float32: Double, quantized: Double)?
    }

    /// The least mean cosine to the outputs of float32, and how much less of pictures and captions may find each other.
    static let minimumMeanCosine = 0.995, largestRecallDrop = 0.005

    let graphs: Models
    let precision: ArtifactManifest.Precision
    let samples: QuantizationSamples
    let progress: QuantizationProgress

    /// Quantizes all graphs.
    func run() throws -> Result {
        guard graphs.values.contains(where: Self.hasLayers) else {
            throw ConcordError(
                .invalidArgument,
                "the model has no weight that is large enough to be worth 8 bits; export it without --quantize")
        }
        expectBatches()
        var result = Result(), vectors: [ArtifactManifest.GraphRole: [[Float]]] = [:]
        var criteria = AcceptanceCriteria(minimumMeanCosine: Self.minimumMeanCosine)
        if measuresRetrieval {
            for role in [ArtifactManifest.GraphRole.image, .text] {
                vectors[role] = try embed(graphs[role], role)
            }
            let recall = Self.recall(vectors, captions: samples.captions)
            result.recall = (recall, recall)
            criteria.minimums["recall@1"] = recall - Self.largestRecallDrop
        }
        // Pictures first, with texts of float32; then the texts, with the pictures as they have become.
        for role in ArtifactManifest.GraphRole.allCases {
            guard let graph = graphs[role], let evaluation = samples.evaluation[role] else { continue }
            guard Self.hasLayers(graph) else {
                result.models[role] = graph
                continue
            }
            let isTower = role == .image || role == .text
            let comparison = try OutputComparison(
                with: graph, over: progress.counted(evaluation, role, .gate),
                outputs: [isTower ? "embeddings" : "logits"])
            let known = vectors
            let measures = { @Sendable (candidate: OnnxModel) throws -> QuantizationMeasures in
                var measures = try comparison.measures(of: candidate)
                guard isTower, !known.isEmpty else { return measures }
                var vectors = known
                vectors[role] = try embed(candidate, role)
                measures.others["recall@1"] = Self.recall(vectors, captions: samples.captions)
                return measures
            }
            var roleCriteria = criteria
            if !isTower { roleCriteria.minimums = [:] }
            let (model, report) = try quantize(graph, role, criteria: roleCriteria, measure: measures)
            result.models[role] = model
            result.reports[role] = report
            if isTower, !vectors.isEmpty { vectors[role] = try embed(model, role) }
        }
        if let before = result.recall?.float32 {
            result.recall = (before, Self.recall(vectors, captions: samples.captions))
        }
        return result
    }

    private func quantize(
        _ graph: OnnxModel, _ role: ArtifactManifest.GraphRole, criteria: AcceptanceCriteria,
        measure: @Sendable (OnnxModel) throws -> QuantizationMeasures
    ) throws -> (OnnxModel, QuantizationReport) {
        guard precision == .int8 else {
            let batches = progress.counted(layerBatches(role), role, .layers)
            return try QuantizationSearch(method: .weights(WeightQuantization()), criteria: criteria)
                .quantize(graph, batches: batches, measure: measure)
        }
        let calibration = samples.calibration[role] ?? [], rule = CalibrationMethod.percentile(99.999)
        let statistics = try ActivationStatistics(
            of: graph, over: progress.counted(calibration, role, .calibration))
        let method = QuantizationMethod.calibrated(StaticQuantization(ranges: try statistics.ranges(rule)))
        var (model, report) = try QuantizationSearch(method: method, criteria: criteria)
            .quantize(graph, batches: progress.counted(layerBatches(role), role, .layers), measure: measure)
        report.calibrationMethod = rule
        report.calibrationBatchCount = statistics.batchCount
        // What had to stay float32 may still have weights of 8 bits.
        if !report.float32Layers.isEmpty {
            let weights = QuantizationMethod.weights(WeightQuantization())
            let layers = Set(weights.layers(of: model).map(\.name)), smaller = try weights.quantize(model)
            let measures = try measure(smaller)
            if criteria.failures(of: measures).isEmpty {
                model = smaller
                report.quantizedWeights(of: layers, to: model, measures: measures)
            }
        }
        return (model, report)
    }

    /// What the errors of layers are measured on: some of what ranges come from, or of the samples of quality.
    private func layerBatches(_ role: ArtifactManifest.GraphRole) -> [[String: OnnxValue]] {
        let batches = precision == .int8 ? samples.calibration[role] : samples.evaluation[role]
        return ExportSamples.spread(batches ?? [], count: QuantizationSamples.layerBatchCount)
    }

    private var measuresRetrieval: Bool { !samples.captions.isEmpty && graphs[.image] != nil }

    /// Announces what has to be run where the criteria are met at once.
    private func expectBatches() {
        for role in ArtifactManifest.GraphRole.allCases {
            guard let graph = graphs[role], let count = samples.evaluation[role]?.count else { continue }
            let isQuantized = Self.hasLayers(graph)
            if isQuantized {
                if precision == .int8 {
                    progress.expect(role, .calibration, count: samples.calibration[role]?.count ?? 0)
                }
                // With float32 and with 8 bits.
                for _ in 0..<2 { progress.expect(role, .gate, count: count) }
                progress.expect(role, .layers, count: layerBatches(role).count)
            }
            if measuresRetrieval, role == .image || role == .text {
                for _ in 0..<(isQuantized ? 3 : 1) { progress.expect(role, .retrieval, count: count) }
            }
            progress.expect(role, .speed, count: GraphSpeed.runCount)
        }
    }

    /// Whether a graph has weights that are large enough to be quantized by either method.
    private static func hasLayers(_ graph: OnnxModel) -> Bool {
        !QuantizationMethod.weights(WeightQuantization()).layers(of: graph).isEmpty
    }

    // MARK: - Retrieval

    /// Unit vectors of the evaluation's pictures or captions.
    private func embed(_ model: OnnxModel?, _ role: ArtifactManifest.GraphRole) throws -> [[Float]] {
        guard let model else { return [] }
        let session = try model.load()
        var vectors: [[Float]] = []
        let batches = samples.evaluation[role] ?? []
        progress.begin(role, .retrieval, count: batches.count)
        for batch in batches {
            progress.advance(role, .retrieval)
            guard let value = try session.run(batch, outputs: ["embeddings"])["embeddings"] else { continue }
            let numbers = try value.values(of: Float.self), width = value.shape.last ?? 1
            vectors += stride(from: 0, to: numbers.count, by: width).map { Array(numbers[$0..<$0 + width]) }
        }
        return vectors
    }

    /// The share of captions and pictures whose nearest is one of theirs: the mean of both ways.
    private static func recall(
        _ vectors: [ArtifactManifest.GraphRole: [[Float]]], captions: [String]
    ) -> Double {
        guard let images = vectors[.image], let texts = vectors[.text], !captions.isEmpty else { return 0 }
        func share(_ queries: [[Float]], _ gallery: [[Float]]) -> Double {
            let hits = queries.indices.count { row in
                var best = (index: 0, cosine: -Float.infinity)
                for (index, vector) in gallery.enumerated() {
                    let cosine = zip(queries[row], vector).reduce(0) { $0 + $1.0 * $1.1 }
                    if cosine > best.cosine { best = (index, cosine) }
                }
                // Pictures of one caption are as good as one another.
                return captions[best.index] == captions[row]
            }
            return Double(hits) / Double(queries.count)
        }
        return (share(images, texts) + share(texts, images)) / 2
    }
}
