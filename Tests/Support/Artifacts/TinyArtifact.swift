import ConcordCheckpoint
import ConcordCore
import ConcordMedia
import ConcordONNX
import ConcordRuntime
import ConcordText
import Foundation

/// An artifact folder as `concord export` writes them, of a model with random weights that takes no training, no libtorch
/// and a moment to write: for tests of what serves models.
///
/// Its graphs are no transformers, but as picky about tokens, padding, lengths and keys and values as those.
public struct TinyArtifact {
    /// Which model a folder holds.
    public enum Kind: String, Sendable, CaseIterable {
        /// Pictures and texts.
        case clip
        /// Pictures and texts padded to the context, because the model reads the padding.
        case siglip
        /// Pictures, texts and captions.
        case coca
        /// Texts, with a graph that takes their lengths.
        case sentences
    }

    public static let imageSize = 16, patchSize = 8, width = 16, heads = 2, embeddingWidth = 12, contextLength = 20
    /// The file of all graphs' weights.
    public static let weightsFile = "weights.data"
    /// Rows of the picture's tokens.
    public static let pictureTokens = 4
    public static let logitScale = 25.0
    /// Texts that the tokenizer has words for.
    public static let texts = [
        "a red apple on a table", "a green apple", "a dog and a cat", "two cats sleep on a red table",
        "the dog runs in the green field", "an apple",
    ]

    public let folder: String
    public let kind: Kind
    public let manifest: ArtifactManifest
    /// The weights of all graphs by name, row-major.
    public let weights: [String: [Float]]
    public let vocabularySize: Int
    public let padToken: Int
    public let startToken, endToken: Int32

    /// Writes a folder. The same arguments give the same weights, and the same vectors and captions.
    ///
    /// - Parameters:
    ///   - seed: of the weights.
    ///   - name: what the manifest calls the model; nil is `tiny-` and the kind.
    ///   - metadata: what the graphs carry about themselves, by key.
    @discardableResult
    public static func write(
        _ kind: Kind, to folder: String, seed: UInt64 = 1, name: String? = nil,
        precision: ArtifactManifest.Precision = .float32, metadata: [String: String] = [:]
    ) throws -> TinyArtifact {
        try Files.makeFolder(folder)
        let inputs = try TinyInputs(kind, folder: folder)
        var graphs = TinyGraphs(kind, inputs, seed: seed, metadata: metadata)
        var files: [ArtifactManifest.GraphRole: String] = [.text: "text.onnx"]
        var models = [(model: try graphs.text(), path: folder + "/text.onnx")]
        if kind != .sentences {
            files[.image] = "image.onnx"
            models.append((try graphs.image(), folder + "/image.onnx"))
        }
        if kind == .coca {
            files[.captionPrefill] = "caption_prefill.onnx"
            files[.captionStep] = "caption_step.onnx"
            models.append((try graphs.caption(isFirst: true), folder + "/caption_prefill.onnx"))
            models.append((try graphs.caption(isFirst: false), folder + "/caption_step.onnx"))
        }
        try OnnxModel.write(models, sharedWeights: folder + "/" + weightsFile)
        try Files.replace(folder + "/report.json", with: "{\"graphs\": {}}\n")
        var (hashes, checksums): ([String: String], [String: String]) = ([:], [:])
        for file in try FileManager.default.contentsOfDirectory(atPath: folder) where file != ArtifactManifest.fileName
        {
            hashes[file] = try FileHash(.sha256, ofFile: folder + "/" + file).hexadecimal
            checksums[file] = try FileHash(.xxh128, ofFile: folder + "/" + file).hexadecimal
        }
        let joined = hashes.sorted { $0.key < $1.key }.map(\.value).joined()
        let none = [Float](repeating: 0, count: embeddingWidth), hasImages = files[.image] != nil
        var manifest = ArtifactManifest(
            name: name ?? "tiny-" + kind.rawValue, precision: precision, graphs: files, embeddingWidth: embeddingWidth,
            logitScale: hasImages ? logitScale : nil, logitBias: kind == .siglip ? -10 : nil,
            vectorSpace: FileHash(.sha256, of: Array(joined.utf8)).hexadecimal, hashes: hashes, checksums: checksums,
            canary: ArtifactCanary(
                text: texts[0], textEmbedding: none, imageEmbedding: hasImages ? none : nil,
                caption: kind == .coca ? [] : nil),
            report: "report.json", tool: "concord tests", date: "2026-01-01")
        try manifest.write(folder: folder)
        manifest.canary = try canary(folder)
        try manifest.write(folder: folder)
        return TinyArtifact(
            folder: folder, kind: kind, manifest: manifest, weights: graphs.weights,
            vocabularySize: inputs.vocabularySize, padToken: inputs.padToken, startToken: inputs.startToken,
            endToken: inputs.endToken)
    }

    /// What the model of a folder says to its canary.
    private static func canary(_ folder: String) throws -> ArtifactCanary {
        let model = try ExportedModel(
            folder: folder, options: ExportedModelOptions(session: OnnxSessionOptions(threadsPerRun: 1)))
        var canary = model.manifest.canary
        canary.textEmbedding = try model.embed(texts: [model.prepare(text: canary.text)])[0]
        guard let size = model.preprocessing?.cropSize else { return canary }
        let picture = PreparedImage.canary(size: size)
        canary.imageEmbedding = try model.embed(images: [picture])[0]
        guard model.canCaption else { return canary }
        let request = GenerationRequest(options: GenerationOptions(maxTokens: 8))
        let session = try model.makeCaptionSession(for: [picture])
        canary.caption = try TokenGenerator(session, requests: [request]).run()[0][0].tokens
        return canary
    }
}
