// The whole of `concord export`, in the order in which it happens. Where to read on:
//
//   the target         Artifacts/ExportFolder.swift: a temporary folder that takes the target's place when all is well
//   what to compare    Artifacts/ExportSamples.swift
//   recording          Artifacts/ModelGraphs.swift, then Recorder/GraphRecorder.swift and GraphLowering.swift
//   running graphs     Artifacts/GraphSessions.swift
//   comparing          Artifacts/ExportParity.swift
//   quantizing         Artifacts/ExportQuantization.swift, then QuantizationSamples.swift and GraphQuantization.swift
//   the report         Artifacts/ExportPage.swift

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

/// An exported model: ONNX graphs with all that is needed to serve them.
public struct ArtifactExport {
    public let output: String
    public let name: String
    public let format: ExportOptions.Format
    public let parity: ExportParity
    /// The effect of quantization; nil for graphs of float32.
    let quantization: ExportQuantization?
    /// The bytes of each file that was written, by its path within the folder.
    public let files: [String: Int]
    /// Notes on loading the model, and on images that could not be compared on.
    public let notes: [String]

    /// The file with the comparison of graphs and model.
    public static let reportName = "report.json"
    /// The same as a page.
    public static let pageName = "report.html"

    /// Exports the model of a folder.
    ///
    /// The graphs are run on images and texts first, and compared with the model: if they differ, nothing is left at the
    /// target.
    ///
    /// - Parameters:
    ///   - data: images and captions to compare on; nil takes synthetic ones.
    ///   - bar: shows the progress.
    /// - Throws: `.fileSystem` for a target that already exists, or that cannot be written; `.unavailable` without ONNX
    ///   Runtime; `.invalidArgument` for int8 without data, and for graphs that lose too much in 8 bits; `.inference`
    ///   when the graphs do not match the model; and as `EmbeddingModel.load(_:dtype:device:)`,
    ///   ``ModelGraphs/record(_:usesFusedOperations:progress:)`` and
    ///   ``ExportSamples/init(for:data:pictureCount:textCount:)``.
    public static func export(
        _ source: String, to output: String, options: ExportOptions = ExportOptions(), data: CaptionDataset? = nil,
        pictureCount: Int = 32, textCount: Int = 64, bar: ProgressBar? = nil
    ) throws -> ArtifactExport {
        guard options.precision != .int8 || data != nil else {
            throw ConcordError(
                .invalidArgument,
                "int8 needs your images and captions, to find the ranges of activations: name a data set with --data "
                    + "(128 to 512 images are enough), or choose int8-weights, which needs none")
        }
        let runtime = try OnnxRuntime.shared()
        let folder = try ExportFolder(output, source: source, replaces: options.replaces)
        defer { folder.discard() }

        let description = try ModelFolder(source)
        // Its texts alone would compare with nothing.
        guard description.architecture.audio == nil else {
            throw ConcordError(
                .invalidConfiguration,
                "\(source) holds \(description.architecture.configuration.kindName), and an artifact has no graph of an "
                    + "audio tower; record the tower with `GraphRecorder`, or name a model of images or texts")
        }
        let model = try EmbeddingModel.load(source)
        // Artifacts embed texts; and a model with an image tower must say how images are prepared.
        _ = try model.textSide()
        if description.architecture.vision != nil { _ = try model.imageSide() }
        let samples = try ExportSamples(for: model, data: data, pictureCount: pictureCount, textCount: textCount)
        let steps = ExportSteps(samples, bar)

        let graphs = try ModelGraphs.record(model, usesFusedOperations: options.usesFusedOperations) { _ in
            steps.recorded()
        }
        var (paths, sessions) = try write(graphs.models, options.format, to: folder)

        let parity = try ExportParity.measure(
            sessions, against: model, on: samples, tolerance: options.tolerance, progress: steps.compared)
        guard parity.isMet else {
            throw ConcordError(
                .inference,
                "the exported graphs do not match the model's outputs, so nothing was written: \(parity.json.text()); "
                    + "please report it with the model's configuration")
        }
        bar?.finish()

        let quantization = try ExportQuantization.quantize(
            graphs.models, options.precision, model, sessions, data: data, samples: samples,
            progress: bar.map { ProgressDisplay(label: "quantizing", bar: $0) }
        ) { models in
            // The files of float32 are open, and can be used until they are closed.
            try folder.removeAll()
            (paths, sessions) = try write(models, options.format, to: folder)
            return sessions
        }
        bar?.finish()

        let name = options.name ?? URL(fileURLWithPath: source).standardizedFileURL.lastPathComponent
        let date = Date.now.formatted(.iso8601.year().month().day())
        let report = report(
            name: name, date: date, options: options, paths: paths, parity: parity, quantization: quantization,
            runtime: runtime)
        try Files.replace(folder.path + "/" + reportName, with: report.text(pretty: true) + "\n")
        try ExportPage(
            name: name, options: options, runtime: runtime.version, parity: parity, quantization: quantization,
            graphs: graphs.models
        ).html.write(to: folder.path + "/" + pageName)

        if options.format == .folder {
            try model.saveWithoutWeights(to: folder.path, training: description.manifest?.training)
            let encoder = model.encoder as? any ImageTextEncoder
            try ArtifactManifest(
                name: name, precision: options.precision, graphs: paths, embeddingWidth: model.encoder.embeddingWidth,
                logitScale: encoder.map { exp($0.logitScale.item()) }, logitBias: encoder?.logitBias?.item(),
                vectorSpace: model.vectorSpace(), hashes: folder.hashes(.sha256), checksums: folder.hashes(.xxh128),
                canary: sessions.canary(model), report: reportName, tool: tool, date: date
            ).write(folder: folder.path)
            // As a server will open it; the hashes are those of a moment ago.
            _ = try ExportedModel(
                folder: folder.path, options: ExportedModelOptions(verifiesHashes: false, checksCanary: true))
        }
        let files = try folder.files()
        try folder.moveIntoPlace()
        return ArtifactExport(
            output: output, name: name, format: options.format, parity: parity, quantization: quantization,
            files: files,
            notes: model.notes + samples.notes)
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

/// The progress of an export up to the comparison: a step is a graph or an input.
private final class ExportSteps {
    private let display: ProgressDisplay?
    private let total: Int
    private var graphs = 0

    init(_ samples: ExportSamples, _ bar: ProgressBar?) {
        display = bar.map { ProgressDisplay(label: "step", bar: $0) }
        total = ArtifactManifest.GraphRole.allCases.count + samples.texts.count + samples.pictures.count
    }

    func recorded() {
        graphs += 1
        display?.show(done: graphs, of: total)
    }

    func compared(_ inputs: Int) { display?.show(done: ArtifactManifest.GraphRole.allCases.count + inputs, of: total) }
}

extension GraphSessions {
    /// The graphs' answers to the canary inputs.
    func canary(_ model: EmbeddingModel) throws(ConcordError) -> ArtifactCanary {
        let isBERT = if case .bert = try model.textSide().encoder.textConfiguration { true } else { false }
        let text = try embed(model.tokenBatch([ExportSamples.canaryText]), takesLengths: isBERT)
        var image: [Float]?, caption: [Int32]?
        if let preprocessing = model.images?.preprocessing {
            let picture = PreparedImage.canary(size: preprocessing.cropSize)
            image = try embed(images: [picture]).vectors
            if let captioner = model.encoder as? any CaptioningModel {
                let text = captioner.textTransformer
                caption = try self.caption(of: picture, text, count: min(8, text.contextLength - 1))
            }
        }
        return ArtifactCanary(
            text: ExportSamples.canaryText, textEmbedding: text, imageEmbedding: image, caption: caption)
    }
}

extension EmbeddingModel {
    /// The id of this model's vector space: SHA-256 in hexadecimal over weights and preprocessing.
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
