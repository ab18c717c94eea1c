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
        /// The byte between the columns of a table; nil finds it.
        public var separator: UInt8?
        package var allowsOutsideImages: Bool
        package var maximumSkippedFraction: Double
        package var captionsPerImage: Int
        package var captionWeights: [String: Double]
        public var languages: [String]
        package var avoidsDuplicateCaptions: Bool
        package var workers, cacheMegabytes: Int
        public var scale, ratio: ClosedRange<Double>
        public var flip, jitter, brightness, contrast, saturation, hue, grey: Double

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
        }

        /// The options for reading the caption file.
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
        package var patchDropout: Double
        public var usesActivationCheckpointing: Bool
        public var frozen: [String]
        package var lockImage, lockText: FreezeDepth
        package var layerDecay: Double
        public var adapters: AdapterSection
        package var textCacheMegabytes: Int
        public var device: String
        /// 0 saves by steps alone.
        package var checkpointMinutes: Double
        public var threads, logEvery, checkpointsKept: Int

        init(_ read: inout RecipeReader) throws {
            let steps = 1...1_000_000_000
            epochs = try read.integer(
                "train.epochs", or: Recipe.automatic, in: 1...1_000_000,
                "Passes over the images; auto takes more for small data sets. To train a run for longer, use "
                    + "--resume with a higher number, or --epochs-more.")
            batchSize = try read.integer(
                "train.batch_size", or: Recipe.automatic, in: 2...1_000_000,
                "Images per step; auto takes 256, and fewer for small data sets.")
            learningRate = try read.number(
                "train.learning_rate", 5e-4, in: 0...10,
                "Peak learning rate.")
            schedule = try read.choice(
                "train.schedule", LearningRateSchedule.Shape.cosine,
                "Learning rate schedule after the warm-up.")
            warmupSteps = try read.integer(
                "train.warmup_steps", or: Recipe.automatic, in: 0...1_000_000_000,
                "Steps of linear warm-up, at most half of the run; auto takes 100, at most a tenth of the run.")
            weightDecay = try read.number(
                "train.weight_decay", 0.2, in: 0...10,
                "Weight decay of matrices; biases and norms have none.")
            beta1 = try read.number(
                "train.beta1", 0.9, in: 0...0.9999999,
                "Decay of AdamW's first moment.")
            beta2 = try read.number(
                "train.beta2", 0.98, in: 0...0.9999999,
                "Decay of AdamW's second moment.")
            epsilon = try read.number("train.epsilon", 1e-6, in: 0...1, "AdamW's epsilon.")
            gradientClip = try read.number(
                "train.gradient_clip", 0, in: 0...1e9,
                "Maximum gradient norm; 0 does not clip.")
            emaDecay = try read.number(
                "train.ema_decay", 0, in: 0...0.9999999,
                "Decay of the exponential moving average (EMA) of the weights, which is then saved; 0 saves "
                    + "the last weights.")
            precision = try read.choice(
                "train.precision", Precision.auto,
                "Matrix products in float32, bfloat16, or auto: bfloat16 on a GPU, float32 on a processor.")
            patchDropout = try read.number(
                "train.patch_dropout", 0, in: 0...0.95,
                "Fraction of the patches dropped from each image while training.")
            usesActivationCheckpointing = try read.flag(
                "train.activation_checkpointing", false,
                "Recompute activations in the backward pass to save memory.")
            frozen = try read.list(
                "train.frozen", [],
                "Name patterns of parameters that are frozen.")
            lockImage = try read.freezeDepth(
                "train.lock_image",
                "Frozen part of the image tower: none, all, or a number of blocks from the input on, with "
                    + "the embeddings.")
            lockText = try read.freezeDepth(
                "train.lock_text",
                "Frozen part of the text tower, likewise. With all, each caption is embedded once and not at "
                    + "every step.")
            textCacheMegabytes = try read.integer(
                "train.text_cache_megabytes", 512, in: 0...1_000_000,
                "Memory for the embeddings of a frozen text tower, in megabytes; if they need more, captions "
                    + "are embedded at every step.")
            layerDecay = try read.number(
                "train.layer_decay", 1, in: 0.01...1,
                "Layer-wise decay of the learning rate: factor from each block to the one below; 1 gives all "
                    + "layers the same rate.")
            adapters = try AdapterSection(&read)
            device = try read.text("train.device", "cpu", "cpu, cuda, cuda:N or mps.")
            threads = try read.integer(
                "train.threads", 0, in: 0...4096,
                "Threads of tensor operations; 0 is all cores.")
            logEvery = try read.integer(
                "train.log_every", 1, in: steps,
                "Steps between lines of metrics.jsonl.")
            checkpointEvery = try read.integer(
                "train.checkpoint_every", or: Recipe.automatic, in: steps,
                "Steps between checkpoints; auto takes a twentieth of the run, 10 to 200.")
            checkpointMinutes = try read.number(
                "train.checkpoint_minutes", 10, in: 0...100_000,
                "Maximum minutes between checkpoints; 0 goes by steps alone.")
            checkpointsKept = try read.integer(
                "train.checkpoints_kept", 2, in: 1...1000,
                "Number of checkpoints kept on disk.")
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
                "Rank of the LoRA adapters that are trained in place of the weights; 0 trains without LoRA.")
            alpha = try read.number(
                "train.lora.alpha", 16, in: 1e-6...1e6,
                "LoRA's alpha: the output of an adapter is scaled by alpha / rank.")
            dropout = try read.number(
                "train.lora.dropout", 0, in: 0...0.95,
                "Dropout probability of an adapter's input.")
            targets = try read.choices(
                "train.lora.targets", LowRankAdaptation.Target.allCases,
                "Layers of each block that get adapters: q, k, v, out (attention), mlp (both layers).")
            towers = try read.choices(
                "train.lora.towers", Tower.allCases,
                "Towers that get adapters: image, text. A saved model has them merged in.")
            let given = ["alpha", "dropout", "targets", "towers"].map { "train.lora." + $0 }.filter(read.isGiven)
            guard rank > 0 || given.isEmpty else {
                throw read.contradiction("\(given[0]) has no effect while train.lora.rank is 0; give a rank, such as 8")
            }
            for (name, isEmpty) in [("targets", targets.isEmpty), ("towers", towers.isEmpty)] where isEmpty {
                throw read.contradiction("train.lora.\(name) is empty; name at least one, or leave the key out")
            }
        }

        /// The adapters of the model's parameter store; nil without adapters.
        var adaptation: LowRankAdaptation? {
            rank == 0
                ? nil
                : LowRankAdaptation(
                    rank: rank, alpha: alpha, dropout: dropout, targets: Set(targets), roots: Set(towers.map(\.root)))
        }
    }
}
