import ConcordCore
import ConcordData
import ConcordText

/// A recipe that fits a data set, with comments that say why.
package struct RecipeDraft: Sendable {
    /// The recipe, YAML.
    package let text: String

    /// The sizes of a new model, by the number of images.
    private struct Sizes {
        let imageSize, patchSize: Int
        let vision, text: (width: Int, layers: Int, heads: Int)
        let projectionWidth: Int
        let learningRate: String

        init(images: Int) {
            switch images {
            case ..<50_000: self.init(64, 16, (192, 6, 3), (128, 3, 2), 192, "1e-3")
            case ..<1_000_000: self.init(128, 16, (384, 8, 6), (256, 6, 4), 256, "5e-4")
            default: self.init(224, 32, (768, 12, 12), (512, 12, 8), 512, "5e-4")
            }
        }

        private init(
            _ imageSize: Int, _ patchSize: Int, _ vision: (Int, Int, Int), _ text: (Int, Int, Int),
            _ projectionWidth: Int, _ learningRate: String
        ) {
            self.imageSize = imageSize
            self.patchSize = patchSize
            self.vision = vision
            self.text = text
            self.projectionWidth = projectionWidth
            self.learningRate = learningRate
        }
    }

    /// Looks at the captions, and at a sample of the images.
    ///
    /// - Parameters:
    ///   - data: the path that the recipe names.
    ///   - options: columns of the caption file, as the data set was read with.
    ///   - start: the model to start from, a folder or a name of the hub's cache; nil begins with nothing.
    ///   - head: lines of comment to begin with.
    /// - Throws: `.invalidDataset` for data that cannot be trained on, and as loading the start's configuration does.
    package init(
        _ dataset: CaptionDataset, data: String, options: CaptionFileOptions, start: String?, head: [String]
    ) throws {
        let named = "data.folder: \(RecipeReader.quoted(data))\n"
        let startLine = start.map { "model.start: \(RecipeReader.quoted($0))\n" } ?? ""
        let bare = try Recipe(yaml: named + startLine, source: "the recipe")
        let split = try TrainingSplit(dataset, bare)
        let plan = try TrainingPlan(bare, images: split.examples.items.count)
        let captions = split.examples.items.flatMap(\.captions)
        let sizes = Sizes(images: plan.images), vocabularySize = Self.vocabularySize(captions: captions.count)
        let starting = try PretrainedSource(bare.model)
        let tokenizer: any Tokenizer
        if let loaded = try starting.tokenizer() {
            tokenizer = loaded
        } else {
            tokenizer = try BytePairTrainer.train(captions: captions.lazy.map(\.text), vocabularySize: vocabularySize)
        }
        let survey = DataSurvey(split.examples, .init(), tokenizer, contextLength: 77)

        var lines = head.map { "# " + $0 } + ["seed: 1", ""]
        lines += Self.data(dataset, data: data, options: options, split: split, captions: captions)
        if start == nil {
            lines += ["", "tokenizer:", "  vocabulary_size: \(vocabularySize)   # at most; learned from the captions"]
        }
        lines += ["", "model:"]
        lines += Self.model(sizes, survey, start: start)
        lines += Self.loss(survey)
        lines += [
            "", "train:",
            "  batch_size: \(plan.batchSize)".padded("images in a step, which are told from each other"),
            "  epochs: \(plan.epochs)".padded("passes over \(plan.images) images: \(plan.totalSteps) steps"),
            "  warmup_steps: \(plan.warmupSteps)".padded("the learning rate rises over these and then falls to 0"),
            start == nil
                ? "  learning_rate: \(sizes.learningRate)"
                : "  learning_rate: 1e-5".padded("a pretrained model forgets what it knows at a higher one"),
        ]
        if start == nil { lines.append("  ema_decay: 0.99".padded("keeps the moving average of the weights")) }
        lines += ["  checkpoint_minutes: 10", "", "evaluate:"]
        lines.append("  splits: [\(split.evaluated.map(RecipeReader.quoted).joined(separator: ", "))]")
        let languages = Self.languages(captions)
        if languages.count > 1 {
            lines.append(
                "  languages: [\(languages.map { RecipeReader.quoted($0.name) }.joined(separator: ", "))]"
                    .padded("measured one by one"))
        }
        text = lines.joined(separator: "\n") + "\n"
    }

    /// Larger vocabularies have words that too few captions use.
    private static func vocabularySize(captions: Int) -> Int {
        captions < 5_000 ? 1024 : captions < 100_000 ? 4096 : 16384
    }

    private static func data(
        _ dataset: CaptionDataset, data: String, options: CaptionFileOptions, split: TrainingSplit, captions: [Caption]
    ) -> [String] {
        var lines = ["data:", "  folder: \(RecipeReader.quoted(data))"]
        if let column = options.imageColumn { lines.append("  image_column: \(RecipeReader.quoted(column))") }
        if let columns = options.captionColumns {
            lines.append("  caption_columns: [\(columns.map(RecipeReader.quoted).joined(separator: ", "))]")
        }
        if let separator = options.separator {
            lines.append("  separator: " + (separator == 9 ? "tab" : "\"\(Character(Unicode.Scalar(separator)))\""))
        }
        if options.allowsImagesOutsideFolder { lines.append("  allow_outside_images: true") }
        for note in split.notes { lines += comment(note) }
        let trained = Set(split.examples.items.map(\.split))
        if !split.heldOut.isEmpty {
            lines.append("  held_out_fraction: auto")
        } else if trained.count == 1, let name = trained.first ?? nil,
            dataset.items.contains(where: { $0.split == name })
        {
            lines.append("  split: \(RecipeReader.quoted(name))".padded("trained on"))
        }
        let languages = languages(captions), kinds = Dictionary(grouping: captions, by: { $0.kind ?? "" })
        let images = max(1, split.examples.items.count)
        if languages.count > 1 {
            let slots = min(languages.count, 4)
            lines += [
                "  # captions: " + languages.map { "\($0.count) \($0.name)" }.joined(separator: ", "),
                "  captions_per_image: \(slots)".padded("one of each of these languages in every step"),
                "  languages: [\(languages.prefix(slots).map { RecipeReader.quoted($0.name) }.joined(separator: ", "))]",
            ]
        } else if captions.count >= 2 * images {
            lines.append(
                "  captions_per_image: 2".padded("of \(captions.count / images) that an image has on average"))
        }
        if kinds.count > 1 {
            let weights = kinds.keys.sorted().filter { !$0.isEmpty }
            lines.append(
                "  caption_weights: {\(weights.map { RecipeReader.quoted($0) + ": 1" }.joined(separator: ", "))}"
                    .padded("how often each kind is drawn"))
        }
        lines += [
            "  augmentation:",
            "    scale: [0.9, 1.0]".padded("a crop takes so much of an image; [0.5, 1.0] varies photos more"),
        ]
        return lines
    }

    private static func model(_ sizes: Sizes, _ survey: DataSurvey, start: String?) -> [String] {
        if let start {
            return ["  start: \(RecipeReader.quoted(start))".padded("towers, tokenizer and preprocessing")]
        }
        let edge = survey.usualEdge ?? sizes.imageSize
        let imageSize = min(sizes.imageSize, max(32, edge / sizes.patchSize * sizes.patchSize))
        let context = min(77, max(16, (survey.longest + 7) / 8 * 8))
        func tower(_ sizes: (width: Int, layers: Int, heads: Int)) -> String {
            "width: \(sizes.width), layers: \(sizes.layers), heads: \(sizes.heads)"
        }
        return [
            "  # Sizes that \(survey.images) images can fill; larger ones learn them by heart.",
            "  image_size: \(imageSize)".padded("the images have an edge of \(edge) pixels, half of them less"),
            "  patch_size: \(sizes.patchSize)", "  vision: {\(tower(sizes.vision))}",
            "  text: {\(tower(sizes.text)), context_length: \(context)}"
                .padded("the longest caption has \(survey.longest) tokens"),
            "  projection_width: \(sizes.projectionWidth)",
        ]
    }

    /// The lines on images that share a caption.
    private static func loss(_ survey: DataSurvey) -> [String] {
        guard survey.mostShared.images > 1 else { return [] }
        return [
            "", "loss:",
            "  # \"\(survey.mostShared.text.prefix(40))\" is the caption of \(survey.mostShared.images) images, and "
                + "others are shared, too.",
            "  duplicates: \(survey.hasLabels ? "positives" : "ignored")"
                .padded("what such images are to each other in a batch"),
        ]
    }

    /// A comment of as many lines as it needs.
    private static func comment(_ text: String) -> [String] {
        var lines = [String]()
        for word in text.split(separator: " ") {
            if let last = lines.last, last.count + word.count < 100 {
                lines[lines.count - 1] += " " + word
            } else {
                lines.append("  # " + word)
            }
        }
        return lines
    }

    /// The languages that captions name, the most frequent first.
    private static func languages(_ captions: [Caption]) -> [(name: String, count: Int)] {
        let counts = captions.reduce(into: [String: Int]()) { counts, caption in
            if let language = caption.language { counts[language, default: 0] += 1 }
        }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { ($0.key, $0.value) }
    }
}

extension String {
    /// A line of a recipe with a comment behind it.
    fileprivate func padded(_ comment: String) -> String {
        self + String(repeating: " ", count: max(3, 32 - count)) + "# " + comment
    }
}
