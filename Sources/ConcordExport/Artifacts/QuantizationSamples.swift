import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordEvaluate
import ConcordMedia
import ConcordModels
import ConcordONNX
import ConcordRuntime
import ConcordText

/// Inputs of a model's graphs, to find the ranges of activations with and to measure quantized graphs on.
struct QuantizationSamples: Sendable {
    typealias Batches = [ArtifactManifest.GraphRole: [[String: OnnxValue]]]

    /// 128 to 512 pictures or captions of the user's are enough for the ranges.
    static let calibrationCount = 256
    /// Pictures with a caption each that quality is measured on, at the most.
    static let evaluationCount = 512
    /// Pictures whose captions are read token by token, and how many tokens of each at the most.
    private static let captionedCount = 32, captionLength = 12
    /// Rows of a batch.
    private static let batchSize = 8
    /// Batches that the errors of layers are measured on, at the most: enough to tell which layers are worse.
    static let layerBatchCount = 16

    /// Empty without a data set.
    private(set) var calibration: Batches = [:]
    private(set) var evaluation: Batches = [:]
    /// The caption of each picture of `evaluation`, which retrieval is measured by; empty without a data set.
    private(set) var captions: [String] = []
    /// Which pictures those are: a split of the data set, or `all`; nil without a data set.
    private(set) var split: String?

    /// Prepares the inputs of all graphs.
    ///
    /// - Parameters:
    ///   - sessions: the graphs of float32, which give the keys and values that later tokens of captions see.
    ///   - samples: what is measured on where there is no data set.
    /// - Throws: `.invalidDataset` for a data set with fewer than 16 pictures that can be read to calibrate with.
    static func collect(
        _ model: EmbeddingModel, _ sessions: GraphSessions, data: CaptionDataset?, samples: ExportSamples
    ) throws -> QuantizationSamples {
        var result = QuantizationSamples()
        guard let data else {
            try result.addEvaluation(model, pictures: samples.pictures, texts: samples.texts)
            if model.encoder is any CaptioningModel {
                let pictures = Array(samples.pictures.prefix(captionedCount))
                try result.add(
                    to: \.evaluation, captions: Array(samples.texts.prefix(pictures.count)), of: pictures, model,
                    sessions)
            }
            return result
        }
        let held = ["held-out", "test", "validation", "val"].first { name in data.items.contains { $0.split == name } }
        result.split = held ?? "all"
        let evaluated = prepare(
            ExportSamples.spread(
                data.withImages.items.filter { held == nil || $0.split == held }, count: evaluationCount),
            data, model)
        let calibrated = prepare(
            ExportSamples.spread(
                data.withImages.items.filter { held == nil || $0.split != held }, count: calibrationCount),
            data, model)
        guard calibrated.captions.count >= 16 else {
            throw ConcordError(
                .invalidDataset,
                "\(data.folder) has \(calibrated.captions.count) readable images outside its held-out split; "
                    + "the ranges of activations need at least 16, and 128 to 512 are better")
        }
        result.captions = evaluated.captions
        let pictures = evaluated.pictures, calibrating = calibrated.pictures, texts = calibrated.captions
        try result.addEvaluation(model, pictures: pictures, texts: result.captions)
        result.calibration[.image] = try imageBatches(calibrating)
        result.calibration[.text] = try textBatches(texts, model)
        if model.encoder is any CaptioningModel {
            let count = captionedCount
            try result.add(
                to: \.evaluation, captions: Array(result.captions.prefix(count)), of: Array(pictures.prefix(count)),
                model,
                sessions)
            try result.add(
                to: \.calibration, captions: Array(texts.prefix(count)), of: Array(calibrating.prefix(count)), model,
                sessions)
        }
        return result
    }

    /// The name of what is in the picture where the data set has names, as retrieval is evaluated on, otherwise its first
    /// caption.
    private static func caption(_ item: CaptionItem) -> String {
        (item.captions.first { $0.kind == "name" } ?? item.captions.first)?.text ?? ""
    }

    /// The pictures that can be read with a caption each; of a model of texts alone, all captions without pictures.
    private static func prepare(
        _ items: [CaptionItem], _ data: CaptionDataset, _ model: EmbeddingModel
    ) -> (pictures: [PreparedImage], captions: [String]) {
        guard let preprocessing = model.images?.preprocessing else { return ([], items.map(caption)) }
        var problems: [String] = []
        let found = ExportSamples.decoded(items, of: data, preprocessing, problems: &problems)
        return (found.map(\.picture), found.map { caption($0.item) })
    }

    private mutating func addEvaluation(
        _ model: EmbeddingModel, pictures: [PreparedImage], texts: [String]
    ) throws {
        if !pictures.isEmpty { evaluation[.image] = try Self.imageBatches(pictures) }
        evaluation[.text] = try Self.textBatches(texts, model)
    }

    private static func batches<Element>(_ elements: [Element]) -> [ArraySlice<Element>] {
        stride(from: 0, to: elements.count, by: batchSize).map {
            elements[$0..<min($0 + batchSize, elements.count)]
        }
    }

    private static func imageBatches(_ pictures: [PreparedImage]) throws -> [[String: OnnxValue]] {
        try batches(pictures).map { ["pixels": try GraphSessions.pixels($0)] }
    }

    private static func textBatches(_ texts: [String], _ model: EmbeddingModel) throws -> [[String: OnnxValue]] {
        let isBERT = if case .bert = try model.textSide().encoder.textConfiguration { true } else { false }
        return try batches(texts).map {
            try GraphSessions.inputs(model.tokenBatch(Array($0)), takesLengths: isBERT)
        }
    }

    /// Lets the graphs of float32 read captions token by token, and keeps what each run took.
    private mutating func add(
        to batches: WritableKeyPath<QuantizationSamples, Batches>, captions: [String], of pictures: [PreparedImage],
        _ model: EmbeddingModel, _ sessions: GraphSessions
    ) throws {
        for (pictures, texts) in zip(Self.batches(pictures), Self.batches(captions)) {
            guard let captioner = model.encoder as? any CaptioningModel,
                let tokens = try sessions.embed(images: pictures).tokens
            else { return }
            let run = GraphSessions.Captions(sessions, tokens: tokens, captioner.textTransformer)
            let batch = try model.tokenBatch(Array(texts))
            // The shortest caption says how far, so that nothing reads padding.
            let length = max(1, min((batch.lengths.min() ?? 1) - 1, Self.captionLength))
            for column in 0..<length {
                let ids = texts.indices.map { row in
                    Int32(batch.ids[(row - texts.startIndex) * batch.width + column])
                }
                let role: ArtifactManifest.GraphRole = column == 0 ? .captionPrefill : .captionStep
                self[keyPath: batches][role, default: []].append(try run.inputs(ids))
                _ = try run.read(ids)
            }
        }
    }
}
