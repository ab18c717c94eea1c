import ConcordCore
import ConcordMedia
import ConcordText

/// `concord.json`: the properties of a model that Hugging Face's files leave open.
public struct ModelManifest: Sendable, Hashable {
    /// The pooling of a text's tokens into one vector.
    package enum TextPooling: Sendable, Hashable {
        case transformer(TextTransformerConfiguration.Pooling)
        case bert(BERTConfiguration.Pooling)
    }

    /// Differences between models of one architecture.
    package struct Quirks: Sendable, Hashable {
        /// Nil for a model of images alone.
        package var textActivation: Activation?
        /// Nil for a model of images alone.
        package var textPooling: TextPooling?
        /// Nil for a model of texts alone, and where an older manifest does not say.
        package var visionActivation: Activation?
        /// Nil for a model of texts alone, and where an older manifest does not say.
        package var visionPooling: VisionTransformerConfiguration.Pooling?
        /// The mask of the class token after a text; nil for models without one.
        package var classTokenMask: TextTransformerConfiguration.ClassTokenMask?
        /// The layout of attentional pooling; nil for models without it.
        package var queryPooling: QueryPoolingConfiguration.Layout?
        /// The mode of CLIP's own tokenizer, of which the two treat hard strings differently; nil for other tokenizers.
        package var tokenizer: CLIPTokenizer.Mode?
        /// Nil for a model of texts alone.
        package var crop: ImagePreprocessing.CropRule?
        /// The cleaning of texts before a tokenizer that does not do it itself; nil for none.
        package var cleaning: TextCleaning?
        /// Whether texts are lowercased first.
        package var lowercases = false
        /// Whether the separator after a text is replaced by id 0.
        package var stripsSeparator = false

        /// The quirks of a model, with what its configuration does not know.
        package init(
            _ architecture: ModelFolder.Architecture, tokenizer: CLIPTokenizer.Mode?, crop: ImagePreprocessing.CropRule?
        ) {
            switch architecture.text {
            case .transformer(let tower):
                (textActivation, textPooling) = (tower.activation, .transformer(tower.pooling))
                classTokenMask = tower.classTokenMask
            case .bert(let tower): (textActivation, textPooling) = (tower.activation, .bert(tower.pooling))
            case nil: break
            }
            if let vision = architecture.vision {
                (visionActivation, visionPooling) = (vision.activation, vision.pooling)
                queryPooling = vision.queryPooling?.layout
            }
            self.tokenizer = tokenizer
            self.crop = crop
        }
    }

    /// The origin of the weights.
    public struct Training: Sendable, Hashable {
        package var recipe: String
        package var dataset: String
        package var steps: Int
        /// The program and its version.
        package var tool: String
        /// The day it ended, as ISO 8601.
        package var date: String
        /// The model that training began with; nil for random weights.
        package var baseModel: String?

        public init(
            recipe: String, dataset: String, steps: Int, tool: String, date: String, baseModel: String? = nil
        ) {
            self.recipe = recipe
            self.dataset = dataset
            self.steps = steps
            self.tool = tool
            self.date = date
            self.baseModel = baseModel
        }
    }

    public static let fileName = "concord.json"
    /// The version that this code writes; earlier ones are read, later ones refused.
    package static let currentFormatVersion = 2

    public var architecture: Architecture
    package var quirks: Quirks
    /// The names of the weights.
    package var weightsLayout: CheckpointLayout.Family
    /// Tokens of the longest text, start and end token included; nil for a model without texts.
    public var contextLength: Int?
    /// The file of the folder that describes the preprocessing of images or sounds; nil for a model of texts alone.
    public var preprocessing: String?
    /// SHA-256 in hexadecimal, by file name.
    public var hashes: [String: String]
    /// Nil for weights of unknown origin.
    public var training: Training?
    /// Nil where nothing was measured.
    public var calibration: ModalityCalibration?

    /// The manifest of a model.
    ///
    /// - Parameters:
    ///   - tokenizer: the mode of CLIP's tokenizer; nil for tokenizers that have one way only.
    ///   - crop: nil for a model of texts alone.
    ///   - preprocessing: nil takes the usual file of the layout, and none for a model of texts alone.
    package init(
        _ architecture: ModelFolder.Architecture, tokenizer: CLIPTokenizer.Mode?, crop: ImagePreprocessing.CropRule?,
        weightsLayout: CheckpointLayout.Family = .huggingFace, preprocessing: String? = nil,
        hashes: [String: String] = [:], training: Training? = nil
    ) {
        self.architecture = architecture.configuration.kind
        quirks = Quirks(architecture, tokenizer: tokenizer, crop: crop)
        self.weightsLayout = weightsLayout
        self.hashes = hashes
        self.training = training
        contextLength = architecture.text?.contextLength
        if architecture.vision != nil || architecture.audio != nil {
            let usual = weightsLayout == .openCLIP ? FolderFiles.openCLIPName : "preprocessor_config.json"
            self.preprocessing = preprocessing ?? usual
        }
    }

    /// Reads the manifest of a model folder.
    ///
    /// - Throws: `.fileSystem`, `.malformedText`, or `.invalidConfiguration` for a later version, an unknown member
    ///   (a misspelled quirk would silently change the model), or a value of the wrong kind.
    public init(folder: String) throws(ConcordError) {
        let path = folder + "/" + Self.fileName
        try self.init(JSONValue(contentsOf: path), path: path)
    }

    /// Writes the manifest into a model folder, atomically. Throws `.fileSystem`.
    public func write(folder: String) throws {
        try Files.replace(folder + "/" + Self.fileName, with: json().text(pretty: true) + "\n")
    }

    /// Throws `.invalidCheckpoint` when a file of the folder is not the one that the manifest was written for.
    ///
    /// - Parameter limit: the longest file that is looked at, in bytes; hashing a longer one takes its time.
    public func verifyHashes(folder: String, limit: Int = .max) throws(ConcordError) {
        for (name, expected) in hashes.sorted(by: { $0.key < $1.key }) {
            let path = folder + "/" + name
            guard try FileReader(path: path).count <= limit else { continue }
            let found = try FileHash(.sha256, ofFile: path).hexadecimal
            guard found == expected else {
                if let name = ForeignContent.name(ofFile: path) {
                    throw ConcordError(.invalidCheckpoint, "\(path) \(name)")
                }
                throw ConcordError(
                    .invalidCheckpoint,
                    "\(path) has the SHA-256 \(found), but \(Self.fileName) was written for \(expected); "
                        + "fetch the model again, or remove the hash if you changed the file on purpose")
            }
        }
    }
}

extension ModelManifest.TextPooling {
    /// The raw value; no two kinds of towers share one.
    package var name: String {
        switch self {
        case .transformer(let pooling): pooling.rawValue
        case .bert(let pooling): pooling.rawValue
        }
    }
}

extension ModelManifest {
    /// Throws `.invalidConfiguration` when the folder's configuration describes another model.
    func check(
        _ architecture: ModelFolder.Architecture, _ layout: CheckpointLayout, path: String
    ) throws(ConcordError) {
        func compare(_ name: String, _ ours: String?, _ other: String?) throws(ConcordError) {
            guard let ours, ours != other else { return }
            throw ConcordError(
                .invalidConfiguration,
                "\(path): \(Self.fileName) has `\(name)` \(ours), the model's configuration \(other ?? "none"); fetch or "
                    + "save the model again")
        }
        let found = Quirks(architecture, tokenizer: nil, crop: nil)
        try compare("architecture", self.architecture.rawValue, architecture.configuration.kind.rawValue)
        try compare("weights_layout", weightsLayout.rawValue, layout.family.rawValue)
        try compare("text.activation", quirks.textActivation?.rawValue, found.textActivation?.rawValue)
        try compare("text.pooling", quirks.textPooling?.name, found.textPooling?.name)
        try compare("vision.activation", quirks.visionActivation?.rawValue, found.visionActivation?.rawValue)
        try compare("vision.pooling", quirks.visionPooling?.rawValue, found.visionPooling?.rawValue)
        try compare("text.class_token_mask", quirks.classTokenMask?.rawValue, found.classTokenMask?.rawValue)
        try compare("vision.query_pooling", quirks.queryPooling?.rawValue, found.queryPooling?.rawValue)
        try compare("context_length", contextLength.map(String.init), architecture.text.map { "\($0.contextLength)" })
    }
}
