import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor
import Foundation

extension Recipe {
    /// `train`: the optimization.
    public struct TrainSection: Sendable {
        /// Nil is up to the size of the data; ``TrainingPlan`` says how.
        public var epochs, batchSize, warmupSteps, checkpointEvery: Int?
        /// Parts in which a batch goes through the model.
        public var accumulate: Int
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
        /// How gradients are sent between processes.
        public var gradientCompression: GradientReducer.Compression
        /// Whether processes share out the optimizer's moments.
        public var shardsOptimizer: Bool
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
                "Images per step, of all processes together; auto takes 256, and fewer for small data sets.")
            accumulate = try read.integer(
                "train.accumulate", 1, in: 1...1_000_000,
                "Gradient accumulation: the batch goes through the model in this many parts, with memory for one. The "
                    + "gradient is that of the whole batch, also of contrastive losses.")
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
                "Matrix products in float32, bfloat16, float16 (with a loss scale), or auto: bfloat16 on a GPU, "
                    + "float32 on a processor. All else is float32.")
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
            gradientCompression = try read.choice(
                "train.gradient_compression", GradientReducer.Compression.none,
                "Gradients between processes as they are, or as bfloat16: half the bytes, sums of 8 bits.")
            shardsOptimizer = try read.flag(
                "train.shard_optimizer", false,
                "Have each of several processes keep its part of AdamW's moments (ZeRO stage 1). Same weights, and "
                    + "the same checkpoints.")
            device = try read.text("train.device", "cpu", "cpu, cuda, cuda:N or mps.")
            threads = try read.integer(
                "train.threads", 0, in: 0...4096,
                "Threads of tensor operations in each process; 0 shares out all cores.")
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
