import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordMedia
import ConcordNN
import ConcordTensor
import ConcordText
import Foundation

/// Everything that determines a training run, read from a YAML file.
///
/// The sections below mirror the file. `concord train --keys` lists every key with its default and meaning.
public struct Recipe: Sendable {
    public var seed: Int
    public var data: DataSection
    public var tokenizer: TokenizerSection
    public var model: ModelSection
    public var loss: LossSection
    public var train: TrainSection
    public var evaluate: EvaluateSection
    /// All values given in the file and by assignments, as YAML that reads back as the same recipe.
    public let text: String

    /// The value of keys that are left to the data.
    static let automatic = "auto"
    /// A recipe's ``text`` without the number of epochs, the one thing that may change when a run goes on.
    static func withoutEpochs(_ text: String) -> String {
        text.split(separator: "\n").filter { !$0.hasPrefix("train.epochs: ") }.joined(separator: "\n")
    }

    /// Reads a recipe file and applies assignments such as `train.epochs=5`.
    ///
    /// - Throws: `.invalidConfiguration` for bad YAML, an unknown key (with the nearest known one) or a value out of
    ///   range; `.fileSystem` when the file cannot be read.
    public init(path: String, assignments: [String] = []) throws {
        let bytes = try Files.read(path, limit: 1 << 20)
        guard let yaml = String(validating: bytes, as: UTF8.self) else {
            throw ConcordError(.invalidConfiguration, "\(path) is not UTF-8 text; save it as UTF-8")
        }
        try self.init(yaml: yaml, source: path, assignments: assignments)
    }

    /// Reads a recipe from text; `source` names it in errors.
    public init(yaml: String, source: String, assignments: [String] = []) throws {
        var reader = try RecipeReader(yaml: yaml, source: source)
        for assignment in assignments { try reader.assign(assignment) }
        try self.init(&reader, text: reader.effectiveText)
        try reader.refuseUnknownKeys()
        try validate(source: source)
    }

    private init(_ read: inout RecipeReader, text: String) throws {
        seed = try read.integer(
            "seed", 1, in: 0...Int(Int32.max),
            "Seed for all randomness: weights, data order, augmentation, choice of captions.")
        data = try DataSection(&read)
        tokenizer = try TokenizerSection(&read)
        model = try ModelSection(&read)
        loss = try LossSection(&read)
        train = try TrainSection(&read)
        evaluate = try EvaluateSection(&read)
        self.text = text
    }

    /// Other programs' names of keys, with the keys that are suggested for them.
    package static var suggestedKeys: [String: String] { RecipeKeyNames.aliases }

    /// Every key a recipe may have: its path, its default and one line of documentation.
    package static func documentedKeys() throws -> [(path: String, defaultValue: String, summary: String)] {
        var reader = try RecipeReader(yaml: "", source: "recipe")
        _ = try Recipe(&reader, text: "")
        return reader.keys.map { ($0.path, $0.defaultValue, $0.summary) }
    }
}

extension Recipe {
    /// Throws `.invalidConfiguration` for sections that contradict each other.
    func validate(source: String) throws(ConcordError) {
        try model.validate(source: source)
        func fail(_ problem: String) -> ConcordError {
            ConcordError(.invalidConfiguration, "\(source): \(problem)")
        }
        if train.accumulate > 1, loss.plan == .cached {
            throw fail(
                "train.accumulate and loss.plan cached both say in which parts a batch goes through the model; give one of "
                    + "them (loss.plan cached with loss.chunk says how many images a part has)")
        }
        if model.loads(.text), let key = tokenizer.given.first {
            throw fail("\(key) cannot be given beside a loaded text tower, which brings its tokenizer; leave it out")
        }
        for tower in Tower.allCases {
            let lock = tower == .image ? train.lockImage : train.lockText
            let key = tower == .image ? "train.lock_image" : "train.lock_text"
            let folders = "name model.start or model.\(tower.rawValue)_tower"
            guard lock == .none || model.loads(tower) else {
                throw fail("\(key) freezes \(tower.rawValue) weights that are drawn at random; \(folders)")
            }
            guard train.adapters.rank > 0, train.adapters.towers.contains(tower) else { continue }
            guard model.loads(tower) else {
                throw fail(
                    "train.lora adapts \(tower.rawValue) weights that are drawn at random; \(folders), or name the "
                        + "other tower alone in train.lora.towers")
            }
            guard lock == .none else {
                throw fail(
                    "\(key) and train.lora.towers name the same tower; an adapted tower keeps its weights anyway, so "
                        + "leave \(key) out, or the tower out of train.lora.towers")
            }
        }
    }
}

extension Recipe {
    /// `data`: which images and captions are trained on, and how they are varied.
    public struct DataSection: Sendable {
        public var folder: String
        /// Nil takes what the data set says is for training, or all rows but those that are held out.
        public var split: String?
        /// Share of the images that are kept out of training; nil is up to the data.
        package var heldOutFraction: Double?
        package var imageColumn: String?
        package var captionColumns: [String]
        package var audioColumn: String?
        /// What becomes of rows whose image or sound is missing or damaged.
        public var onBadInput: BadInputPolicy
        /// The byte between the columns of a table; nil finds it.
        public var separator: UInt8?
        package var allowsOutsideImages: Bool
        package var maximumSkippedFraction: Double
        package var captionsPerImage, soundsPerImage: Int
        package var captionWeights: [String: Double]
        public var languages: [String]
        package var avoidsDuplicateCaptions: Bool
        package var workers, cacheMegabytes: Int
        public var scale, ratio: ClosedRange<Double>
        public var flip, jitter, brightness, contrast, saturation, hue, grey: Double
        /// Of sounds.
        public var audioAugmentation: AudioAugmentation

        init(_ read: inout RecipeReader) throws {
            folder = try read.text(
                "data.folder", "data",
                "Folder with captions.jsonl, .tsv or .csv, or the path of such a file.")
            split = try read.optionalText(
                "data.split",
                "Split to train on; all takes every row. Empty takes the split train, or every row outside "
                    + "test splits; if the data have no splits, some images are held out.")
            heldOutFraction = try read.number(
                "data.held_out_fraction", or: Recipe.automatic, in: 0...0.9,
                "Fraction of the images held out from training and evaluated at the end; duplicates stay "
                    + "together. auto holds out about a tenth if neither data nor recipe name a split.")
            imageColumn = try read.optionalText(
                "data.image_column",
                "Column or JSON member with the path of the image.")
            captionColumns = try read.list(
                "data.caption_columns", [],
                "Columns or JSON members with captions.")
            audioColumn = try read.optionalText(
                "data.audio_column",
                "Column or JSON member with the path of a sound.")
            onBadInput = try read.choice(
                "data.on_bad_input", BadInputPolicy.skip,
                "Images and sounds that are missing or cannot be decoded: fail, skip (the row; another takes its place) or "
                    + "absent (the row goes on without). All are listed in skipped.jsonl.")
            separator = try read.separator(
                "data.separator",
                "Column separator of a table: , ; | or tab; empty detects it.")
            allowsOutsideImages = try read.flag(
                "data.allow_outside_images", false,
                "Allow images outside the folder of the caption file.")
            maximumSkippedFraction = try read.number(
                "data.maximum_skipped_fraction", 0.1, in: 0...1,
                "Stop when more than this fraction of the rows is unusable.")
            captionsPerImage = try read.integer(
                "data.captions_per_image", 1, in: 1...16,
                "Captions drawn per image and step; the loss is the mean over them.")
            soundsPerImage = try read.integer(
                "data.sounds_per_image", 1, in: 1...16,
                "Sounds drawn per image and step: 1, which is compared with every caption, or as many as captions.")
            captionWeights = try read.weights(
                "data.caption_weights", [:],
                "Sampling weight of each kind of caption; kinds not listed are never drawn. Empty draws all "
                    + "alike.")
            languages = try read.list(
                "data.languages", [],
                "Language of each drawn caption, in turn; empty draws from all languages.")
            avoidsDuplicateCaptions = try read.flag(
                "data.avoid_duplicate_captions", true,
                "Prefer captions that are not drawn yet for another image of the batch.")
            workers = try read.integer(
                "data.workers", 1, in: 1...256,
                "Threads that decode and augment images.")
            cacheMegabytes = try read.integer(
                "data.cache_megabytes", 512, in: 0...1_000_000,
                "Memory for decoded images, in megabytes; 0 decodes every time.")
            scale = try read.interval(
                "data.augmentation.scale", 0.9...1, in: 0.01...1,
                "Area of a crop, as a fraction of the image.")
            ratio = try read.interval(
                "data.augmentation.ratio", 0.75...4.0 / 3, in: 0.1...10,
                "Aspect ratio of a crop, width / height.")
            flip = try read.number(
                "data.augmentation.flip", 0, in: 0...1,
                "Probability of a horizontal flip.")
            jitter = try read.number(
                "data.augmentation.jitter", 0, in: 0...1,
                "Probability of color jitter.")
            brightness = try read.number(
                "data.augmentation.brightness", 0.2, in: 0...1,
                "Brightness jitter, ±.")
            contrast = try read.number(
                "data.augmentation.contrast", 0.2, in: 0...1,
                "Contrast jitter, ±.")
            saturation = try read.number(
                "data.augmentation.saturation", 0.2, in: 0...1,
                "Saturation jitter, ±.")
            hue = try read.number(
                "data.augmentation.hue", 0.02, in: 0...0.5,
                "Hue jitter, ± turns of the color wheel.")
            grey = try read.number(
                "data.augmentation.grey", 0, in: 0...1,
                "Probability of a grayscale image.")
            audioAugmentation = try Self.readAudioAugmentation(&read)
        }

        /// The options for reading the caption file.
        var fileOptions: CaptionFileOptions {
            var options = CaptionFileOptions()
            options.imageColumn = imageColumn
            options.captionColumns = captionColumns.isEmpty ? nil : captionColumns
            options.audioColumn = audioColumn
            options.onBadInput = onBadInput
            options.separator = separator
            options.allowsImagesOutsideFolder = allowsOutsideImages
            options.maximumSkippedFraction = maximumSkippedFraction
            return options
        }
    }

    /// `tokenizer`: trained on the captions, or taken from a folder.
    public struct TokenizerSection: Sendable {
        public var folder: String?
        public var vocabularySize: Int
        public var mode: CLIPTokenizer.Mode
        /// The keys that the recipe has.
        let given: [String]

        init(_ read: inout RecipeReader) throws {
            folder = try read.optionalText(
                "tokenizer.folder",
                "Folder with tokenizer.json, or vocab.json and merges.txt; empty trains a tokenizer on the "
                    + "captions.")
            vocabularySize = try read.integer(
                "tokenizer.vocabulary_size", 4096, in: 514...1_000_000,
                "Maximum size of a trained vocabulary.")
            mode = try read.choice(
                "tokenizer.mode", CLIPTokenizer.Mode.huggingface,
                "Text cleaning as in Hugging Face's or OpenAI's code.")
            given = ["folder", "vocabulary_size", "mode"].map { "tokenizer." + $0 }.filter(read.isGiven)
        }
    }

    /// `evaluate`: what the report at the end measures.
    public struct EvaluateSection: Sendable {
        /// Empty is up to the data; ``TrainingSplit`` says how.
        public var splits, languages: [String]
        public var kind: String?

        /// The languages that are measured one by one; nil stands for all as one.
        var measuredLanguages: [String?] { languages.isEmpty ? [nil] : languages }

        init(_ read: inout RecipeReader) throws {
            splits = try read.list(
                "evaluate.splits", [],
                "Splits to evaluate at the end; empty takes the held-out images and the training images, or "
                    + "all if data.split is given.")
            languages = try read.list(
                "evaluate.languages", [],
                "Languages to evaluate separately; empty evaluates all together.")
            kind = try read.optionalText(
                "evaluate.kind",
                "Kind of captions to evaluate; empty takes name if there are names, otherwise all.")
        }
    }
}
