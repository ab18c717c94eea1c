import ConcordCheckpoint
import ConcordCore
import ConcordMedia
import ConcordText

/// A model of an artifact folder, ready to embed, compare and caption, without libtorch.
///
/// All methods block while they work; call them from threads that are there for it. Any number may be called at once:
/// runs share the sessions' threads.
public final class ExportedModel: Sendable {
    public let folder: String
    public let manifest: ArtifactManifest
    public let tokenizer: any Tokenizer
    /// `nil` for a model of texts alone.
    public let preprocessing: ImagePreprocessing?
    /// Tokens of the longest text, start and end token included.
    public let contextLength: Int
    public let options: ExportedModelOptions
    /// The most bits that weights have which are multiplied with other 8-bit numbers: 8, or 7 of a reduced range; nil
    /// where no graph has such products. Where `CPUFeatures.int8DotSaturates` holds, 8 give wrong results.
    package let multipliedWeightBits: Int?
    /// The stamps of the folder's files when they were read, by name: where one is another now, so is the model there.
    package let stamps: [String: FileStamp]
    private let textTower: ExportedTextTower
    private let imageTower: ExportedImageTower?
    private let captioning: CaptionGraphs?

    /// Opens a folder that `concord export` wrote.
    ///
    /// Files are compared with their checksums while the sessions open and the canary is asked. They are read into memory;
    /// what becomes of them afterwards is of no matter, where ``OnnxRuntime/readsDataFiles`` holds.
    ///
    /// - Throws: `.fileSystem`, `.malformedText`, `.invalidConfiguration` for a manifest or configuration that cannot be
    ///   used, `.invalidCheckpoint` for a file that is not the one exported, `.invalidModel`, `.unavailable` without
    ///   ONNX Runtime, `.invalidArgument` for impossible options, `.inference` for a canary that is not answered as it was.
    public convenience init(
        folder: String, options: ExportedModelOptions = ExportedModelOptions()
    ) throws(ConcordError) {
        try options.validate()
        let stamp = try FileStamp(path: folder + "/" + ArtifactManifest.fileName)
        let manifest = try ArtifactManifest(folder: folder)
        try manifest.checkPlaces(folder: folder)
        let stamps = try manifest.stamps(folder: folder, manifest: stamp)
        let verification = BackgroundWork { () throws(ConcordError) -> Void in
            if options.verifiesHashes { try manifest.verifyHashes(folder: folder) }
        }
        do throws(ConcordError) {
            try self.init(folder: folder, manifest: manifest, stamps: stamps, options: options)
            if options.checksCanary { try checkCanary() }
        } catch {
            // A file that is not the one exported explains whatever else is wrong.
            try verification.value()
            try Self.requireUnchanged(stamps, folder: folder)
            throw error
        }
        try verification.value()
        // What was compared is what the sessions read, then.
        try Self.requireUnchanged(stamps, folder: folder)
    }

    private static func requireUnchanged(_ stamps: [String: FileStamp], folder: String) throws(ConcordError) {
        for (name, stamp) in stamps.sorted(by: { $0.key < $1.key }) {
            guard let found = try? FileStamp(path: folder + "/" + name), found == stamp else {
                throw ConcordError(
                    .invalidCheckpoint,
                    "\(folder)/\(name) was changed while the model was loaded; load it again when the folder is complete"
                )
            }
        }
    }

    private init(
        folder: String, manifest: ArtifactManifest, stamps: [String: FileStamp], options: ExportedModelOptions
    ) throws(ConcordError) {
        self.folder = folder
        self.manifest = manifest
        self.stamps = stamps
        self.options = options
        func graph(_ role: ArtifactManifest.GraphRole) throws(ConcordError) -> ExportedGraph? {
            try ExportedModel.graph(role, folder: folder, manifest: manifest, options: options.session)
        }
        func contradiction(_ problem: String) -> ConcordError {
            ConcordError(.invalidConfiguration, "\(folder): \(problem); export the model again")
        }
        // The largest graph, beside all the others.
        let imageGraph = BackgroundWork { () throws(ConcordError) in
            try ExportedModel.graph(.image, folder: folder, manifest: manifest, options: options.session)
        }
        let model = try ModelFolder(folder), width = manifest.embeddingWidth
        tokenizer = try model.loadTokenizer()
        guard let tower = model.text else { throw contradiction("its configuration has no text tower") }
        contextLength = tower.contextLength
        guard let text = try graph(.text) else { throw contradiction("its manifest has no graph `text`") }
        textTower = try ExportedTextTower(
            text, tower, padToken: tower.padToken(tokenizer), width: width)
        let prefill = try graph(.captionPrefill), step = try graph(.captionStep)
        let image = try imageGraph.value()
        multipliedWeightBits =
            [text, image, prefill, step].compactMap { $0?.session.metadata.multipliedWeightBits }.max()
        if let image {
            let preprocessing = try model.loadPreprocessing()
            self.preprocessing = preprocessing
            imageTower = try ExportedImageTower(
                image, size: preprocessing.cropSize, width: width, captions: prefill != nil)
        } else {
            preprocessing = nil
            imageTower = nil
        }
        if let prefill, let step {
            guard model.architecture.decoder != nil, case .transformer(let transformer) = tower else {
                throw contradiction("it has caption graphs, but the configuration of a model that does not caption")
            }
            captioning = try CaptionGraphs(prefill: prefill, step: step, transformer)
        } else {
            captioning = nil
        }
    }

    /// Opens a graph; `nil` where the model has none of that role.
    private static func graph(
        _ role: ArtifactManifest.GraphRole, folder: String, manifest: ArtifactManifest, options: OnnxSessionOptions
    ) throws(ConcordError) -> ExportedGraph? {
        guard let name = manifest.graphs[role] else { return nil }
        return try ExportedGraph(role, path: folder + "/" + name, options: options)
    }

    public var hasImageTower: Bool { imageTower != nil }
    public var canCaption: Bool { captioning != nil }

    // MARK: - Inputs

    /// Decodes and prepares an encoded image; `name` is what errors call it.
    ///
    /// - Throws: `.invalidImage`; `.invalidConfiguration` for a model of texts alone.
    public func prepare(
        image bytes: UnsafeRawBufferPointer, name: String, limits: ImageLimits = .standard
    ) throws(ConcordError) -> PreparedImage {
        guard let preprocessing else { throw Self.textsOnly }
        let image = try Image(
            decoding: bytes, name: name, limits: limits,
            shrinkFor: options.shrinksPhotos ? 2 * max(preprocessing.size, preprocessing.cropSize) : nil)
        return PreparedImage(size: preprocessing.cropSize, pixels: preprocessing(image))
    }

    /// The ids of a text.
    public func prepare(text: String) -> PreparedText {
        let (ids, isTruncated) = tokenizer.encode(text, contextLength: contextLength)
        return PreparedText(ids: ids, isTruncated: isTruncated)
    }

    /// The tokens that a caption begins with, the start token included. Throws `.invalidArgument` for a prompt without
    /// a token.
    public func prepare(prompt: String) throws(ConcordError) -> [Int32] {
        let ids = Array(tokenizer.encode(prompt).dropLast())
        guard ids.count > 1 else {
            // Not quoted: it may be of any length, and this text goes into answers and logs.
            throw ConcordError(.invalidArgument, "the prompt has no tokens; write some words, or omit it")
        }
        return ids
    }

    // MARK: - Runs

    /// Unit vectors `[width]` of images, in their order.
    ///
    /// - Throws: `.invalidConfiguration` for a model of texts alone, `.shapeMismatch` for an image of another size,
    ///   `.nonFiniteValue` for a vector that contains NaN or infinity, `.inference`.
    public func embed(images: [PreparedImage]) throws(ConcordError) -> [[Float]] {
        guard let imageTower else { throw Self.textsOnly }
        return try imageTower.embed(images, buckets: options.batchBuckets)
    }

    /// Unit vectors `[width]` of texts, in their order. Runs go by like lengths.
    ///
    /// - Throws: `.invalidArgument` for ids that the model does not know or too many of them, `.nonFiniteValue` for a
    ///   vector that is no numbers, `.inference`.
    public func embed(texts: [PreparedText]) throws(ConcordError) -> [[Float]] {
        try textTower.embed(texts, buckets: options.batchBuckets)
    }

    /// Scaled cosines of unit vectors, with the bias where the model has one: row by row `[images, texts]`.
    public func logits(images: [[Float]], texts: [[Float]]) -> [[Float]] {
        let scale = Float(manifest.logitScale ?? 1), bias = Float(manifest.logitBias ?? 0)
        return images.map { image in texts.map { scale * dot(image, $0) + bias } }
    }

    /// A session that captions images token by token, for `TokenGenerator`. It belongs to one thread.
    ///
    /// - Throws: `.emptyBatch` without images, `.invalidConfiguration` for a model that does not caption,
    ///   `.shapeMismatch` for an image of another size, `.inference`.
    package func makeCaptionSession(for images: [PreparedImage]) throws(ConcordError) -> any DecodingSession {
        guard let imageTower, let captioning else {
            throw ConcordError(.invalidConfiguration, "this model cannot caption; export a CoCa")
        }
        guard !images.isEmpty else { throw ConcordError(.emptyBatch, "no images; give at least one") }
        return ExportedCaptionSession(
            captioning, tokens: try imageTower.decoderTokens(images, buckets: options.batchBuckets))
    }

    private static let textsOnly = ConcordError(
        .invalidConfiguration, "this model embeds texts only; use one with an image tower")
}

/// The sum of products of two vectors of one length.
func dot(_ a: [Float], _ b: [Float]) -> Float {
    precondition(a.count == b.count, "vectors of \(a.count) and \(b.count) values cannot be compared")
    return a.withUnsafeBufferPointer { a in
        b.withUnsafeBufferPointer { b in
            // Eight sums, which the compiler may keep in one register.
            var sums = SIMD8<Float>(repeating: 0)
            let whole = a.count & ~7
            for start in stride(from: 0, to: whole, by: 8) {
                for lane in 0..<8 { sums[lane] += a[start + lane] * b[start + lane] }
            }
            return (whole..<a.count).reduce(sums.sum()) { $0 + a[$1] * b[$1] }
        }
    }
}

/// Options of an exported model.
public struct ExportedModelOptions: Sendable, Hashable {
    /// Options of each graph's session. On 2 to 8 cores several threads of the caller's with ``OnnxSessionOptions/threadsPerRun``
    /// 1 embed more in all; one with all threads has its result sooner.
    public var session: OnnxSessionOptions
    /// Compares every file with its checksum, or its hash where it has none, before the model is returned.
    public var verifiesHashes: Bool
    /// Checks that the model's outputs for its canary are those of the export; see ``ExportedModel/checkCanary()``. Done
    /// while files are compared.
    public var checksCanary: Bool
    /// The batch sizes that runs are padded to, rising; longer batches are split. Few sizes keep memory flat, and in
    /// runs of one shape an item's result does not depend on its neighbours.
    public var batchBuckets: [Int]
    /// Decodes JPEG photos at 1/2, 1/4 or 1/8 of their size where that still has twice the pixels along each
    /// edge that the model needs, which is much faster; smaller images are exact (as Pillow's `reducing_gap` 2).
    public var shrinksPhotos: Bool

    public init(
        session: OnnxSessionOptions = OnnxSessionOptions(), verifiesHashes: Bool = true, checksCanary: Bool = false,
        batchBuckets: [Int] = [1, 2, 3, 4, 6, 8, 12, 16], shrinksPhotos: Bool = true
    ) {
        self.session = session
        self.verifiesHashes = verifiesHashes
        self.checksCanary = checksCanary
        self.batchBuckets = batchBuckets
        self.shrinksPhotos = shrinksPhotos
    }

    /// Throws `.invalidArgument` for batch sizes that are none, not above 0, or not rising.
    func validate() throws(ConcordError) {
        guard let first = batchBuckets.first, first > 0, zip(batchBuckets, batchBuckets.dropFirst()).allSatisfy(<)
        else {
            throw ConcordError(
                .invalidArgument, "batch buckets must be positive and increasing, such as 1, 4, 16; got \(batchBuckets)"
            )
        }
    }
}
