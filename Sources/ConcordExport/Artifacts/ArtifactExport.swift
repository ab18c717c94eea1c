import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordEvaluate
import ConcordMedia
import ConcordModels
import ConcordNN
import ConcordONNX
import ConcordRuntime
import ConcordTensor
import Foundation

/// A model folder turned into ONNX graphs with all that is needed to serve them.
///
/// The graphs are run on pictures and texts first, and compared with the model: where they do not say the same, nothing
/// is left at the target.
public struct ArtifactExport {
    public let output: String
    public let name: String
    public let format: ExportOptions.Format
    public let parity: ExportParity
    /// What quantization did; nil for graphs of float32.
    let quantization: ExportQuantization?
    /// The bytes of each file that was written, by its path within the folder.
    public let files: [String: Int]
    /// What the model's loading noted, and which pictures could not be compared on.
    public let notes: [String]

    /// The file that says how graphs and model compare.
    public static let reportName = "report.json"
    /// The same to look at.
    public static let pageName = "report.html"

    /// Exports the model of a folder.
    ///
    /// - Parameters:
    ///   - data: pictures and captions to compare on; nil takes synthetic ones.
    ///   - bar: shows what is done of all.
    /// - Throws: `.fileSystem` for a target that is there already, or that cannot be written; `.unavailable` without ONNX
    ///   Runtime; `.invalidArgument` for int8 without data, and for graphs that cannot be made good enough in 8 bits;
    ///   `.inference` when the graphs do not say what the model says; and as
    ///   `EmbeddingModel.load(_:dtype:device:)`, ``ModelGraphs/init(of:usesFusedOperations:progress:)`` and
    ///   ``ExportSamples/init(for:data:pictureCount:textCount:)``.
    public init(
        of source: String, to output: String, options: ExportOptions = ExportOptions(), data: CaptionDataset? = nil,
        pictureCount: Int = 32, textCount: Int = 64, bar: ProgressBar? = nil
    ) throws {
        guard options.precision != .int8 || data != nil else {
            throw ConcordError(
                .invalidArgument,
                "int8 needs pictures and captions of yours, to find the ranges of activations with: name a data set with "
                    + "--data (128 to 512 pictures are enough), or take int8-weights, which needs none")
        }
        let runtime = try OnnxRuntime.shared()
        let folder = try ExportFolder(output, source: source, replaces: options.replaces)
        defer { folder.discard() }
        let description = try ModelFolder(source), model = try EmbeddingModel.load(source)
        // Artifacts embed texts; and a model with an image tower must say how pictures are prepared.
        _ = try model.textSide()
        if description.architecture.vision != nil { _ = try model.imageSide() }
        let samples = try ExportSamples(for: model, data: data, pictureCount: pictureCount, textCount: textCount)

        // A step is a graph or an input.
        let roles = ArtifactManifest.GraphRole.allCases.count
        let total = roles + samples.texts.count + samples.pictures.count
        let steps = bar.map { ProgressDisplay(label: "step", bar: $0) }
        defer { bar?.finish() }
        var recorded = 0
        let graphs = try ModelGraphs(of: model, usesFusedOperations: options.usesFusedOperations) { _ in
            recorded += 1
            steps?.show(done: recorded, of: total)
        }
        var (paths, sessions) = try Self.write(graphs.models, options.format, to: folder)
        let parity = try ExportParity(
            of: sessions, with: model, on: samples, tolerance: options.tolerance
        ) { steps?.show(done: roles + $0, of: total) }
        guard parity.isMet else {
            throw ConcordError(
                .inference,
                "the graphs do not say what the model says, so nothing was written: \(parity.json.text()); "
                    + "please report it with the model's configuration")
        }

        // What comes next counts from its own start.
        bar?.finish()
        quantization = try ExportQuantization(
            of: graphs.models, options.precision, model, sessions, data: data, samples: samples,
            progress: bar.map { ProgressDisplay(label: "quantizing", bar: $0) }
        ) { models in
            // The files of float32 are open, and can be used until they are closed.
            try folder.removeAll()
            (paths, sessions) = try Self.write(models, options.format, to: folder)
            return sessions
        }
        if options.format == .folder {
            try model.saveWithoutWeights(to: folder.path, training: description.manifest?.training)
        }
        self.output = output
        self.format = options.format
        self.parity = parity
        notes =
            model.notes
            + (samples.problems.first.map { first in
                ["\(samples.problems.count) of the pictures to compare on cannot be read and are left out: \(first)"]
            } ?? [])
        name = options.name ?? URL(fileURLWithPath: source).standardizedFileURL.lastPathComponent
        let date = Date.now.formatted(.iso8601.year().month().day())
        let report = Self.report(
            name: name, date: date, options: options, paths: paths, parity: parity, quantization: quantization,
            runtime: runtime)
        try Files.replace(folder.path + "/" + Self.reportName, with: report.text(pretty: true) + "\n")
        try ExportPage(
            name: name, options: options, runtime: runtime.version, parity: parity, quantization: quantization,
            graphs: graphs.models
        ).html.write(to: folder.path + "/" + Self.pageName)
        if options.format == .folder {
            try ArtifactManifest(
                name: name, precision: options.precision, graphs: paths, embeddingWidth: model.encoder.embeddingWidth,
                logitScale: (model.encoder as? any ImageTextEncoder).map { exp($0.logitScale.item()) },
                logitBias: (model.encoder as? any ImageTextEncoder)?.logitBias?.item(),
                vectorSpace: model.vectorSpace(), hashes: folder.hashes(.sha256),
                checksums: folder.hashes(.xxh128),
                canary: sessions.canary(model), report: Self.reportName, tool: Self.tool, date: date
            ).write(folder: folder.path)
            // As a server will open it; the hashes are those of a moment ago.
            _ = try ExportedModel(
                folder: folder.path, options: ExportedModelOptions(verifiesHashes: false, checksCanary: true))
        }
        files = try folder.files()
        try folder.moveIntoPlace()
    }

    private static let tool = "concord \(ConcordVersion.current)"

    private static func write(
        _ models: [ArtifactManifest.GraphRole: OnnxModel], _ format: ExportOptions.Format, to folder: ExportFolder
    ) throws -> (paths: [ArtifactManifest.GraphRole: String], sessions: GraphSessions) {
        let paths =
            switch format {
            case .folder: try GraphFiles.write(models, to: folder.path)
            case .triton: try TritonRepository.write(models, to: folder.path)
            }
        return (paths, try GraphSessions(paths: paths.mapValues { folder.path + "/" + $0 }))
    }

    private static func report(
        name: String, date: String, options: ExportOptions, paths: [ArtifactManifest.GraphRole: String],
        parity: ExportParity, quantization: ExportQuantization?, runtime: OnnxRuntime
    ) -> JSONValue {
        [
            "tool": .string(tool), "date": .string(date), "name": .string(name),
            "format": .string(options.format.rawValue),
            "operations": .string(options.usesFusedOperations ? "fused" : "plain"),
            "precision": .string(options.precision.rawValue), "onnx_runtime": .string(runtime.version),
            "graphs": .object(
                paths.sorted { $0.key.rawValue < $1.key.rawValue }.map { .init($0.key.rawValue, .string($0.value)) }),
            "parity": parity.json, "quantization": quantization?.json ?? .null,
        ]
    }

    public var json: JSONValue {
        [
            "output": .string(output), "name": .string(name), "format": .string(format.rawValue),
            "files": .object(files.sorted { $0.key < $1.key }.map { .init($0.key, .integer($0.value)) }),
            "bytes": .integer(files.values.reduce(0, +)), "parity": parity.json,
            "quantization": quantization?.json ?? .null,
            "notes": .array(notes.map(JSONValue.string)),
        ]
    }
}

extension GraphSessions {
    /// What the graphs say to the canary.
    func canary(_ model: EmbeddingModel) throws(ConcordError) -> ArtifactCanary {
        let isBERT = if case .bert = try model.textSide().encoder.textConfiguration { true } else { false }
        let text = try embed(model.tokenBatch([ExportSamples.canaryText]), takesLengths: isBERT)
        var image: [Float]?, caption: [Int32]?
        if let preprocessing = model.images?.preprocessing {
            let picture = PreparedImage.canary(size: preprocessing.cropSize)
            image = try embed(images: [picture]).vectors
            if let captioner = model.encoder as? any CaptioningModel {
                let rule = try CaptionRule(
                    CaptionSession(
                        captioner, pixels: Tensor(picture.pixels, shape: [1, 3, picture.size, picture.size])))
                let count = min(8, captioner.textTransformer.contextLength - 1)
                caption = try self.caption(of: picture, rule: rule, count: count)
            }
        }
        return ArtifactCanary(
            text: ExportSamples.canaryText, textEmbedding: text, imageEmbedding: image, caption: caption)
    }
}

extension EmbeddingModel {
    /// What tells the space of this model's vectors from others: SHA-256 in hexadecimal over weights and preprocessing.
    func vectorSpace() throws -> String {
        var text = ""
        for parameter in encoder.store.parameters.sorted(by: { $0.name < $1.name }) {
            let hash = parameter.tensor.contiguous().withUnsafeBytes { FileHash(.sha256, of: Array($0)).hexadecimal }
            text += "\(parameter.name) \(parameter.tensor.dtype.rawValue) \(parameter.tensor.shape) \(hash)\n"
        }
        if let images { text += try images.preprocessing.preprocessorConfig().text() }
        return FileHash(.sha256, of: Array(text.utf8)).hexadecimal
    }
}
