import ConcordCheckpoint
import ConcordCore
import ConcordData
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
            "seed", 1, in: 0...Int(Int32.max), "Seed of everything random: weights, order, augmentation, captions.")
        data = try DataSection(&read)
        tokenizer = try TokenizerSection(&read)
        model = try ModelSection(&read)
        loss = try LossSection(&read)
        train = try TrainSection(&read)
        evaluate = try EvaluateSection(&read)
        self.text = text
    }

    /// What other programs call keys, and the keys that are suggested for those names.
    package static var suggestedKeys: [String: String] { RecipeKeyNames.aliases }

    /// Every key a recipe may have: its path, its default and one line of documentation.
    public static func documentedKeys() throws -> [(path: String, defaultValue: String, summary: String)] {
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
        if model.loads(.text), let key = tokenizer.given.first {
            throw fail("\(key) cannot be given beside a loaded text tower, which brings its tokenizer; leave it out")
        }
        for tower in Tower.allCases {
            let lock = tower == .image ? train.lockImage : train.lockText
            let key = tower == .image ? "train.lock_image" : "train.lock_text"
            let folders = "name model.start or model.\(tower.rawValue)_tower"
            guard lock == .none || model.loads(tower) else {
                throw fail("\(key) locks \(tower.rawValue) weights that are drawn at random; \(folders)")
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
        public var heldOutFraction: Double?
        public var imageColumn: String?
        public var captionColumns: [String]
        /// The byte between the columns of a table; nil finds it.
        public var separator: UInt8?
        public var allowsOutsideImages: Bool
        public var maximumSkippedFraction: Double
        public var captionsPerImage: Int
        public var captionWeights: [String: Double]
        public var languages: [String]
        public var avoidsDuplicateCaptions: Bool
        public var workers, cacheMegabytes: Int
        public var scale, ratio: ClosedRange<Double>
        public var flip, jitter, brightness, contrast, saturation, hue, grey: Double

        init(_ read: inout RecipeReader) throws {
            folder = try read.text("data.folder", "data", "Folder with captions.jsonl, .tsv or .csv, or such a file.")
            split = try read.optionalText(
                "data.split",
                "Train on rows of this split only; all takes every row. Empty takes the split train, or all rows that "
                    + "are of no split for tests; where there is none of these, some images are held out.")
            heldOutFraction = try read.number(
                "data.held_out_fraction", or: Recipe.automatic, in: 0...0.9,
                "Share of the images that is kept out of training and measured at the end, copies on one side; auto "
                    + "holds out about a tenth where data and recipe name no split.")
            imageColumn = try read.optionalText("data.image_column", "Column or JSON member that names the image.")
            captionColumns = try read.list("data.caption_columns", [], "Columns or JSON members that hold captions.")
            separator = try read.separator(
                "data.separator", "What stands between the columns of a table: , ; | or tab; empty finds it.")
            allowsOutsideImages = try read.flag(
                "data.allow_outside_images", false, "Take images outside the folder of the caption file, too.")
            maximumSkippedFraction = try read.number(
                "data.maximum_skipped_fraction", 0.1, in: 0...1, "Stop when more than this share of rows is unusable.")
            captionsPerImage = try read.integer(
                "data.captions_per_image", 1, in: 1...16,
                "Captions drawn per image and step; the loss is the mean over them.")
            captionWeights = try read.weights(
                "data.caption_weights", [:],
                "How often captions of each kind are drawn; kinds not named are not. Empty draws all alike.")
            languages = try read.list(
                "data.languages", [], "Language of each drawn caption in turn; empty draws from all languages.")
            avoidsDuplicateCaptions = try read.flag(
                "data.avoid_duplicate_captions", true, "Prefer captions that no other image of the batch has drawn.")
            workers = try read.integer("data.workers", 1, in: 1...256, "Threads that decode and augment images.")
            cacheMegabytes = try read.integer(
                "data.cache_megabytes", 512, in: 0...1_000_000, "Memory for decoded images; 0 decodes every time.")
            scale = try read.interval(
                "data.augmentation.scale", 0.9...1, in: 0.01...1, "Share of the image's area that a crop takes.")
            ratio = try read.interval(
                "data.augmentation.ratio", 0.75...4.0 / 3, in: 0.1...10, "Width to height of a crop.")
            flip = try read.number("data.augmentation.flip", 0, in: 0...1, "Chance of a mirror image.")
            jitter = try read.number("data.augmentation.jitter", 0, in: 0...1, "Chance of colour jitter.")
            brightness = try read.number("data.augmentation.brightness", 0.2, in: 0...1, "Jitter of brightness, ±.")
            contrast = try read.number("data.augmentation.contrast", 0.2, in: 0...1, "Jitter of contrast, ±.")
            saturation = try read.number("data.augmentation.saturation", 0.2, in: 0...1, "Jitter of saturation, ±.")
            hue = try read.number("data.augmentation.hue", 0.02, in: 0...0.5, "Jitter of hue, ± turns of the wheel.")
            grey = try read.number("data.augmentation.grey", 0, in: 0...1, "Chance of a grey image.")
        }

        /// How the caption file is read.
        var fileOptions: CaptionFileOptions {
            var options = CaptionFileOptions()
            options.imageColumn = imageColumn
            options.captionColumns = captionColumns.isEmpty ? nil : captionColumns
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
                "tokenizer.folder", "Folder with tokenizer.json, or vocab.json and merges.txt; empty trains one.")
            vocabularySize = try read.integer(
                "tokenizer.vocabulary_size", 4096, in: 514...1_000_000, "Size of a trained vocabulary, at most.")
            mode = try read.choice(
                "tokenizer.mode", CLIPTokenizer.Mode.huggingface, "Text cleaning: as Hugging Face's or OpenAI's code.")
            given = ["folder", "vocabulary_size", "mode"].map { "tokenizer." + $0 }.filter(read.isGiven)
        }
    }

    /// `train`: the optimization.
    public struct TrainSection: Sendable {
        /// The element type of the matrix products.
        public enum Precision: String, Sendable, CaseIterable {
            case float32, bfloat16
            /// bfloat16 on a GPU, float32 on a processor.
            case auto

            /// The element type of the matrix products on a device.
            ///
            /// `auto` is float32 also on a processor that has instructions for bfloat16: small models train slower with
            /// them, and a recipe should train the same model on every processor.
            package func dtype(on device: Device) -> DType {
                switch self {
                case .float32: .float32
                case .bfloat16: .bfloat16
                case .auto: device.kind == .cpu ? .float32 : .bfloat16
                }
            }
        }

        /// Nil is up to the size of the data; ``TrainingPlan`` says how.
        public var epochs, batchSize, warmupSteps, checkpointEvery: Int?
        public var learningRate: Double
        public var schedule: LearningRateSchedule.Shape
        public var weightDecay, beta1, beta2, epsilon, gradientClip, emaDecay: Double
        public var precision: Precision
        public var patchDropout: Double
        public var usesActivationCheckpointing: Bool
        public var frozen: [String]
        public var lockImage, lockText: FreezeDepth
        public var layerDecay: Double
        public var adapters: AdapterSection
        public var textCacheMegabytes: Int
        public var device: String
        /// 0 saves by steps alone.
        public var checkpointMinutes: Double
        public var threads, logEvery, checkpointsKept: Int

        init(_ read: inout RecipeReader) throws {
            let steps = 1...1_000_000_000
            epochs = try read.integer(
                "train.epochs", or: Recipe.automatic, in: 1...1_000_000,
                "Passes over the images; auto takes as many as a model of this kind needs, the more the fewer images. "
                    + "A run goes on for more by --resume with a higher number, or by --epochs-more.")
            batchSize = try read.integer(
                "train.batch_size", or: Recipe.automatic, in: 2...1_000_000,
                "Images in a step; auto takes 256, and less where there are few images.")
            learningRate = try read.number("train.learning_rate", 5e-4, in: 0...10, "Peak learning rate.")
            schedule = try read.choice("train.schedule", LearningRateSchedule.Shape.cosine, "What follows the warm-up.")
            warmupSteps = try read.integer(
                "train.warmup_steps", or: Recipe.automatic, in: 0...1_000_000_000,
                "Steps of linear warm-up, half of the run at most; auto takes 100, a tenth of the run at most.")
            weightDecay = try read.number(
                "train.weight_decay", 0.2, in: 0...10, "Decay of matrices; vectors have none.")
            beta1 = try read.number("train.beta1", 0.9, in: 0...0.9999999, "Decay of AdamW's first moment.")
            beta2 = try read.number("train.beta2", 0.98, in: 0...0.9999999, "Decay of AdamW's second moment.")
            epsilon = try read.number("train.epsilon", 1e-6, in: 0...1, "AdamW's epsilon.")
            gradientClip = try read.number(
                "train.gradient_clip", 0, in: 0...1e9, "Largest gradient norm; 0 is no limit.")
            emaDecay = try read.number(
                "train.ema_decay", 0, in: 0...0.9999999,
                "Decay of the averaged weights that are kept; 0 keeps the last.")
            precision = try read.choice(
                "train.precision", Precision.auto,
                "Matrix products in float32, bfloat16, or auto: bfloat16 on a GPU, float32 on a processor.")
            patchDropout = try read.number(
                "train.patch_dropout", 0, in: 0...0.95, "Share of patches left out of each image while training.")
            usesActivationCheckpointing = try read.flag(
                "train.activation_checkpointing", false, "Recompute activations in the backward pass to save memory.")
            frozen = try read.list("train.frozen", [], "Patterns of parameter names that are not trained.")
            lockImage = try read.freezeDepth(
                "train.lock_image",
                "What keeps its weights: none, all, or a number: the embeddings and so many first blocks.")
            lockText = try read.freezeDepth(
                "train.lock_text",
                "The same of the text tower. Locked whole, it embeds every caption once and not at every step.")
            textCacheMegabytes = try read.integer(
                "train.text_cache_megabytes", 512, in: 0...1_000_000,
                "Memory for the vectors of a locked text tower; captions that need more are embedded at every step.")
            layerDecay = try read.number(
                "train.layer_decay", 1, in: 0.01...1,
                "Factor on the learning rate from each block to the one below it; embeddings learn slowest.")
            adapters = try AdapterSection(&read)
            device = try read.text("train.device", "cpu", "cpu, cuda, cuda:N or mps.")
            threads = try read.integer(
                "train.threads", 0, in: 0...4096, "Threads of the tensor engine; 0 is all cores.")
            logEvery = try read.integer("train.log_every", 1, in: steps, "Steps between lines of metrics.jsonl.")
            checkpointEvery = try read.integer(
                "train.checkpoint_every", or: Recipe.automatic, in: steps,
                "Steps between checkpoints; auto takes a twentieth of the run, 10 to 200.")
            checkpointMinutes = try read.number(
                "train.checkpoint_minutes", 10, in: 0...100_000,
                "Minutes after which a checkpoint is written in any case; 0 writes them by steps alone.")
            checkpointsKept = try read.integer("train.checkpoints_kept", 2, in: 1...1000, "Checkpoints kept on disk.")
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
                "Splits whose retrieval is measured at the end; empty takes what is held out and what is trained on, or "
                    + "all where data.split is given.")
            languages = try read.list(
                "evaluate.languages", [], "Languages measured one by one; empty takes all as one.")
            kind = try read.optionalText(
                "evaluate.kind", "Only captions of this kind count; empty takes name where there are names, else all.")
        }
    }
}

extension Recipe {
    /// `train.lora`: low-rank adapters that are trained in place of the towers' own weights.
    public struct AdapterSection: Sendable {
        /// 0 trains without adapters.
        public var rank: Int
        public var alpha, dropout: Double
        public var targets: [LowRankAdaptation.Target]
        public var towers: [Tower]

        init(_ read: inout RecipeReader) throws {
            rank = try read.integer(
                "train.lora.rank", 0, in: 0...4096,
                "Width of the low-rank adapters (LoRA) that are trained in place of weights; 0 trains without.")
            alpha = try read.number(
                "train.lora.alpha", 16, in: 1e-6...1e6, "What an adapter adds is scaled by alpha / rank.")
            dropout = try read.number(
                "train.lora.dropout", 0, in: 0...0.95, "Chance that a value of an adapter's input is left out.")
            targets = try read.choices(
                "train.lora.targets", LowRankAdaptation.Target.allCases,
                "Layers of each block that get adapters: q, k, v, out (attention), mlp (both layers).")
            towers = try read.choices(
                "train.lora.towers", Tower.allCases,
                "Towers whose weights stay while adapters learn: image, text; a saved model has them merged in.")
            let given = ["alpha", "dropout", "targets", "towers"].map { "train.lora." + $0 }.filter(read.isGiven)
            guard rank > 0 || given.isEmpty else {
                throw read.contradiction("\(given[0]) says nothing while train.lora.rank is 0; give a rank, such as 8")
            }
            for (name, isEmpty) in [("targets", targets.isEmpty), ("towers", towers.isEmpty)] where isEmpty {
                throw read.contradiction("train.lora.\(name) is empty; name at least one, or leave the key out")
            }
        }

        /// What the store of the model is told; nil without adapters.
        var adaptation: LowRankAdaptation? {
            rank == 0
                ? nil
                : LowRankAdaptation(
                    rank: rank, alpha: alpha, dropout: dropout, targets: Set(targets), roots: Set(towers.map(\.root)))
        }
    }
}
