import ConcordCheckpoint
import ConcordCore

/// `artifact.json`: what an artifact folder holds, which is a model's graphs with all that is needed to serve them.
///
/// The folder is a model folder (configuration, `concord.json`, tokenizer, preprocessing) with ONNX graphs in place of
/// its weights. Graphs and their values:
///
/// | role | takes | gives |
/// |---|---|---|
/// | `image` | `pixels` float32 `[batch, 3, size, size]` | `embeddings` `[batch, width]`; a CoCa's also `tokens` `[batch, pictureTokens, tokenWidth]` |
/// | `text` | `ids` int64 `[batch, sequence]`; a BERT tower's also `lengths` int64 `[batch]` | `embeddings` `[batch, width]` |
/// | `caption_prefill` | `tokens`, `ids` int64 `[batch, count]` | `logits` `[batch, vocabulary]` of the last place, `present.N.key`, `present.N.value` `[batch, heads, count, headWidth]`, `cross.N.key`, `cross.N.value` |
/// | `caption_step` | `ids` `[batch, count]`, `past.N.…`, `cross.N.…` | `logits`, `present.N.…` |
///
/// `N` counts the causal layers, those of the text tower before those of the decoder; for `cross`, the decoder's.
public struct ArtifactManifest: Sendable, Hashable {
    /// The storage of the graphs' weights.
    public enum Precision: String, Sendable, Hashable, CaseIterable {
        case float32
        /// Weights and activations in 8 bits, with ranges from a calibration.
        case int8
        /// Weights alone in 8 bits.
        case int8Weights = "int8-weights"
    }

    /// The role of a graph.
    public enum GraphRole: String, Sendable, Hashable, CaseIterable {
        case image, text
        case captionPrefill = "caption_prefill"
        case captionStep = "caption_step"
    }

    package static let fileName = "artifact.json"
    /// The version that this code writes; earlier ones are read, later ones refused.
    package static let currentFormatVersion = 1

    /// The default name of the model.
    public var name: String
    public var precision: Precision
    /// The file of each graph.
    public var graphs: [GraphRole: String]
    public var embeddingWidth: Int
    /// The factor on cosines, and what is added to them then; nil adds nothing, and no factor means the model has no
    /// meaning for it (texts alone).
    public var logitScale: Double?
    public var logitBias: Double?
    /// Names the space of the vectors: those of two models may be compared only where this is the same. SHA-256 in
    /// hexadecimal over the weights and the preprocessing.
    public var vectorSpace: String
    /// SHA-256 in hexadecimal of each file of the folder but this one, by name.
    public var hashes: [String: String]
    /// XXH128 in hexadecimal of the same files, which takes a fraction of the time; empty in older folders.
    public var checksums: [String: String]
    /// The model's outputs for known inputs, by which a server checks its health.
    public var canary: ArtifactCanary
    /// The file that says how the graphs compare with the model they came from.
    public var report: String?
    /// The program that wrote the folder and its version, and the day, as ISO 8601.
    public var tool: String
    public var date: String

    package init(
        name: String, precision: Precision = .float32, graphs: [GraphRole: String], embeddingWidth: Int,
        logitScale: Double?, logitBias: Double?, vectorSpace: String, hashes: [String: String],
        checksums: [String: String] = [:], canary: ArtifactCanary, report: String?, tool: String, date: String
    ) {
        self.name = name
        self.precision = precision
        self.graphs = graphs
        self.embeddingWidth = embeddingWidth
        self.logitScale = logitScale
        self.logitBias = logitBias
        self.vectorSpace = vectorSpace
        self.hashes = hashes
        self.checksums = checksums
        self.canary = canary
        self.report = report
        self.tool = tool
        self.date = date
    }
}

/// Known inputs of a model, and what it said to them when it was exported.
///
/// The image is ``PreparedImage/canary(size:)``, which needs no file.
public struct ArtifactCanary: Sendable, Hashable {
    public var text: String
    /// The unit vector of `text`.
    public var textEmbedding: [Float]
    /// The unit vector of the image; `nil` for a model of texts alone.
    public var imageEmbedding: [Float]?
    /// The first tokens of the image's greedy caption, without the start token; `nil` for a model that does not caption.
    public var caption: [Int32]?

    package init(text: String, textEmbedding: [Float], imageEmbedding: [Float]?, caption: [Int32]?) {
        self.text = text
        self.textEmbedding = textEmbedding
        self.imageEmbedding = imageEmbedding
        self.caption = caption
    }
}

extension ArtifactManifest {
    /// Throws `.invalidCheckpoint` for a file of the manifest that is missing, is no regular file, or is a link to a
    /// place outside the folder.
    func checkPlaces(folder: String) throws(ConcordError) {
        guard let root = Self.resolved(folder) else { throw .system("open the folder", folder) }
        for name in Set(hashes.keys).union(graphs.values).union(report.map { [$0] } ?? []).sorted() {
            let path = folder + "/" + name
            guard let place = Self.resolved(path) else {
                throw ConcordError(
                    .invalidCheckpoint, "\(path), which \(Self.fileName) names, is missing; export the model again")
            }
            guard Files.parent(of: place) == root else {
                throw ConcordError(
                    .invalidCheckpoint,
                    "\(path) is a symbolic link to outside its folder; copy the file into the folder")
            }
            var status = stat()
            guard stat(place, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
                throw ConcordError(.invalidCheckpoint, "\(path) is not a regular file; export the model again")
            }
        }
    }

    /// Compares every file of a folder with its checksum, or with its hash where the manifest has no checksums.
    ///
    /// Throws `.invalidCheckpoint` for the first that is another, and `.fileSystem`.
    package func verifyHashes(folder: String) throws(ConcordError) {
        for (name, expected) in hashes.sorted(by: { $0.key < $1.key }) {
            let path = folder + "/" + name
            let expected = checksums[name] ?? expected
            let found = try FileHash(checksums[name] == nil ? .sha256 : .xxh128, ofFile: path)
            guard found.hexadecimal == expected else {
                if let name = ForeignContent.name(ofFile: path) {
                    throw ConcordError(.invalidCheckpoint, "\(path) \(name)")
                }
                throw ConcordError(
                    .invalidCheckpoint,
                    "\(path) has the \(found), but \(Self.fileName) was written for \(expected); copy the "
                        + "folder again, or export the model again")
            }
        }
    }

    /// The stamps of all files of a folder, of which a manifest names all but itself. Throws `.fileSystem`.
    func stamps(folder: String, manifest: FileStamp) throws(ConcordError) -> [String: FileStamp] {
        var stamps = [Self.fileName: manifest]
        for name in hashes.keys { stamps[name] = try FileStamp(path: folder + "/" + name) }
        return stamps
    }

    /// The stamps of a folder's files as they are now. Throws as ``init(folder:)``, and `.fileSystem`.
    package static func stamps(folder: String) throws(ConcordError) -> [String: FileStamp] {
        // Before the manifest is read: whoever changes it meanwhile is noticed the next time.
        let stamp = try FileStamp(path: folder + "/" + fileName)
        return try ArtifactManifest(folder: folder).stamps(folder: folder, manifest: stamp)
    }

    /// A path without links; `nil` where there is nothing.
    private static func resolved(_ path: String) -> String? {
        guard let text = realpath(path, nil) else { return nil }
        defer { free(text) }
        return String(cString: text)
    }
}
