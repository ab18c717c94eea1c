import ConcordCore

/// What a model folder holds: the architecture, and where and how its weights, tokenizer and preprocessing are stored.
///
/// Known are folders of transformers, open_clip and sentence-transformers, and Concord's own, which are transformers'
/// with a ``ModelManifest``.
public struct ModelFolder: Sendable {
    public enum Architecture: Sendable, Hashable {
        case dualEncoder(DualEncoderConfiguration)
        /// A text tower alone, as sentence-transformers keeps them.
        case sentenceEncoder(BERTConfiguration)
        case coca(CoCaConfiguration)
        /// The text tower of a CLIP or SigLIP alone, which gives vectors of that width.
        case textTower(TextTransformerConfiguration, width: Int)
        /// The image tower of a CLIP or SigLIP alone, which gives vectors of that width.
        case imageTower(VisionTransformerConfiguration, width: Int)

        /// The text tower; nil for a model of pictures alone.
        public var text: TextTowerConfiguration? {
            switch self {
            case .dualEncoder(let configuration): configuration.text
            case .sentenceEncoder(let configuration): .bert(configuration)
            case .coca(let configuration): .transformer(configuration.text)
            case .textTower(let text, _): .transformer(text)
            case .imageTower: nil
            }
        }

        /// The image tower; nil for a model of texts alone.
        public var vision: VisionTransformerConfiguration? {
            switch self {
            case .dualEncoder(let configuration): configuration.vision
            case .sentenceEncoder, .textTower: nil
            case .coca(let configuration): configuration.vision
            case .imageTower(let vision, _): vision
            }
        }

        /// A noun phrase for messages.
        package var kindName: String {
            switch self {
            case .dualEncoder: "a model of two towers"
            case .sentenceEncoder: "a sentence encoder"
            case .coca: "a CoCa"
            case .textTower: "a text tower alone"
            case .imageTower: "an image tower alone"
            }
        }
    }

    public let path: String
    public let architecture: Architecture
    /// How the weights spell and arrange the model's parameters.
    public let layout: CheckpointLayout
    /// What ``CheckpointReader`` opens: the folder, or a file in it.
    public let weights: String
    /// Nil for a folder without the file, and for a model of texts alone.
    public let preprocessing: PreprocessingSource?
    public let tokenizer: TokenizerSource
    /// Nil for a folder that Concord did not write.
    public let manifest: ModelManifest?

    /// The text tower; nil for a model of pictures alone.
    public var text: TextTowerConfiguration? { architecture.text }

    /// Reads the configuration of a folder, in whichever of the known forms it is, and the headers of its weights, which
    /// say how they are spelled and whether a BERT tower has its pooler.
    ///
    /// A folder of both transformers and open_clip is read as transformers' when its weights in that form are
    /// safetensors. Without weights the configuration alone is read.
    ///
    /// - Throws: `.invalidCheckpoint` for a folder without a configuration, for damaged weights, and for those of a
    ///   CoCa whose pooler or language head is not the configuration's,
    ///   `.invalidConfiguration` for one that describes no model that is known, or whose manifest says something else.
    public init(_ path: String) throws(ConcordError) {
        self.path = path
        let manifest = Files.exists(path + "/" + ModelManifest.fileName) ? try ModelManifest(folder: path) : nil
        self.manifest = manifest
        var found = try FolderContents(path, manifest: manifest)
        if found.hasWeights { try found.fit(to: try CheckpointReader(path: found.weights)) }
        architecture = found.architecture
        layout = found.layout
        weights = found.weights
        preprocessing = try found.preprocessing(manifest: manifest)
        if let manifest {
            try manifest.check(found.architecture, found.layout, path: path)
            if let mode = manifest.quirks.tokenizer { found.tokenizer.clipMode = mode }
            if let cleaning = manifest.quirks.cleaning { found.tokenizer.cleaning = cleaning }
            if manifest.quirks.lowercases { found.tokenizer.lowercases = true }
            if manifest.quirks.stripsSeparator { found.tokenizer.stripsSeparator = true }
        }
        tokenizer = found.tokenizer
    }
}
