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
    /// How the weights of the graphs are stored.
    public enum Precision: String, Sendable, Hashable, CaseIterable {
        case float32
        /// Weights and activations in 8 bits, with ranges from a calibration.
        case int8
        /// Weights alone in 8 bits.
        case int8Weights = "int8-weights"
    }

    /// What a graph is for.
    public enum GraphRole: String, Sendable, Hashable, CaseIterable {
        case image, text
        case captionPrefill = "caption_prefill"
        case captionStep = "caption_step"
    }

    public static let fileName = "artifact.json"
    /// The version that this code writes; earlier ones are read, later ones refused.
    public static let currentFormatVersion = 1

    /// What the model is called where nobody names it otherwise.
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
    /// What the model says to known inputs, by which a server finds that it is well.
    public var canary: ArtifactCanary
    /// The file that says how the graphs compare with the model they came from.
    public var report: String?
    /// The program that wrote the folder and its version, and the day, as ISO 8601.
    public var tool: String
    public var date: String

    public init(
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
