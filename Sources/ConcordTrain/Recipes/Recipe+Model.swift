import ConcordCheckpoint
import ConcordCore
import ConcordText
import Foundation

extension Recipe {
    /// `model`: what the run starts from, and the sizes of what is new.
    public struct ModelSection: Sendable {
        /// The projection from a text tower's vector to the embedding.
        package enum TextProjection: String, Sendable, CaseIterable {
            /// The tower's own; a new tower gets a matrix.
            case tower
            case none, linear, perceptron
        }

        public enum Kind: String, Sendable, CaseIterable {
            /// Two towers.
            case clip
            /// Two towers, and a decoder that writes captions.
            case coca

            var hasDecoder: Bool { self == .coca }
        }

        /// Of a new model.
        public var kind: Kind
        public var start, imageTower, textTower: String?
        package var textProjection: TextProjection
        public var imageSize, patchSize, visionWidth, visionLayers, visionHeads: Int
        public var textWidth, textLayers, textHeads, contextLength, projectionWidth: Int
        public var activation: Activation
        package var decoderLayers, decoderHeads, poolerQueries, poolerHeads: Int
        package var poolerLayout: QueryPoolingConfiguration.Layout
        package var classTokenMask: TextTransformerConfiguration.ClassTokenMask
        package var tiesLanguageHead: Bool
        public var audio: AudioTowerSection
        /// The sizes that the recipe has: keys without `model.` in front.
        private let given: Set<String>

        init(_ read: inout RecipeReader) throws {
            let width = 1...65536, count = 1...1024
            kind = try read.choice(
                "model.kind", Kind.clip,
                "Architecture: clip (two towers) or coca (adds a decoder that writes captions).")
            start = try read.optionalText(
                "model.start",
                "Pretrained model to start from, a folder or OWNER/NAME in the hub's cache: towers, "
                    + "tokenizer, preprocessing.")
            imageTower = try read.optionalText(
                "model.image_tower",
                "Pretrained model to take the image tower from; the text tower is new, or another model's.")
            textTower = try read.optionalText(
                "model.text_tower",
                "Pretrained model or sentence encoder to take the text tower and the tokenizer from.")
            textProjection = try read.choice(
                "model.text_projection", TextProjection.tower,
                "Projection from the text tower to the embedding: tower (its own), or a new one: none, "
                    + "linear or perceptron.")
            imageSize = try read.integer(
                "model.image_size", 224, in: 1...4096,
                "Input size, pixels (square).")
            patchSize = try read.integer(
                "model.patch_size", 32, in: 1...4096,
                "Patch size, pixels (square).")
            visionWidth = try read.integer("model.vision.width", 768, in: width, "Width of the vision transformer.")
            visionLayers = try read.integer("model.vision.layers", 12, in: count, "Blocks of the vision transformer.")
            visionHeads = try read.integer("model.vision.heads", 12, in: count, "Attention heads of a vision block.")
            textWidth = try read.integer("model.text.width", 512, in: width, "Width of the text transformer.")
            textLayers = try read.integer("model.text.layers", 12, in: count, "Blocks of the text transformer.")
            textHeads = try read.integer("model.text.heads", 8, in: count, "Attention heads of a text block.")
            contextLength = try read.integer(
                "model.text.context_length", 77, in: 3...8192,
                "Maximum tokens of a caption, start and end included. Positions of a loaded tower are "
                    + "interpolated.")
            projectionWidth = try read.integer(
                "model.projection_width", 512, in: width, "Width of the shared embedding space.")
            activation = try read.choice(
                "model.activation", Activation.gelu,
                "Activation function of the blocks.")
            decoderLayers = try read.integer(
                "model.decoder.layers", 12, in: count,
                "Pairs of blocks of CoCa's decoder, which is as wide as the text tower.")
            decoderHeads = try read.integer(
                "model.decoder.heads", 8, in: count,
                "Attention heads of a decoder block.")
            poolerQueries = try read.integer(
                "model.pooler.queries", 256, in: 2...65536,
                "Image tokens that CoCa's decoder reads: queries of the pooler.")
            poolerHeads = try read.integer("model.pooler.heads", 8, in: count, "Attention heads of the pooler.")
            poolerLayout = try read.choice(
                "model.pooler.layout", QueryPoolingConfiguration.Layout.joint,
                "Source of CoCa's image embedding: joint (the first query), parallel or cascade (a second "
                    + "pooler).")
            classTokenMask = try read.choice(
                "model.class_token_mask", TextTransformerConfiguration.ClassTokenMask.correct,
                "Attention mask of CoCa's class token: correct (the text and itself) or legacy (open_clip's).")
            tiesLanguageHead = try read.flag(
                "model.tie_language_head", false,
                "Tie CoCa's language head to the token embedding.")
            audio = try AudioTowerSection(&read)
            let others = ["kind", "image_size", "text.context_length", "projection_width", "activation"]
            given = Set(
                (Self.imageKeys + Self.textKeys + Self.captionKeys + others).filter { read.isGiven("model." + $0) })
        }

        private static let imageKeys = ["patch_size", "vision.width", "vision.layers", "vision.heads"]
        private static let captionKeys = [
            "decoder.layers", "decoder.heads", "pooler.queries", "pooler.heads", "pooler.layout", "class_token_mask",
            "tie_language_head",
        ]
        private static let textKeys = ["text.width", "text.layers", "text.heads"]

        /// The image size that the recipe asks for; nil where it says nothing.
        var givenImageSize: Int? { given.contains("image_size") ? imageSize : nil }
        /// The context length that the recipe asks for; nil where it says nothing.
        var givenContextLength: Int? { given.contains("text.context_length") ? contextLength : nil }
        /// The width of the embedding that the recipe asks for; nil where it says nothing.
        var givenProjectionWidth: Int? { given.contains("projection_width") ? projectionWidth : nil }
        /// Whether a tower begins with random weights.
        var isNew: Bool { Tower.allCases.contains { !loads($0) } }
        /// Whether the weights of a tower are read from a folder.
        func loads(_ tower: Tower) -> Bool { start != nil || (tower == .image ? imageTower : textTower) != nil }
    }
}

extension Recipe.ModelSection {
    /// Throws `.invalidConfiguration` for sizes that no model can have, and keys that contradict each other.
    func validate(source: String) throws(ConcordError) {
        func refuse(_ keys: [String], beside key: String) throws(ConcordError) {
            guard let first = keys.first(where: given.contains) else { return }
            throw ConcordError(
                .invalidConfiguration,
                "\(source): model.\(first) cannot be given beside model.\(key), whose folder says it; leave it out")
        }
        if start != nil {
            for (key, folder) in [("image_tower", imageTower), ("text_tower", textTower)] where folder != nil {
                throw ConcordError(
                    .invalidConfiguration,
                    "\(source): model.start brings both towers, so model.\(key) cannot be given beside it; leave one out"
                )
            }
            guard textProjection == .tower else {
                throw ConcordError(
                    .invalidConfiguration,
                    "\(source): model.text_projection cannot be given beside model.start; name the folder as "
                        + "model.text_tower and model.image_tower to replace the projection")
            }
            try refuse(
                ["kind"] + Self.imageKeys + Self.textKeys + Self.captionKeys + ["projection_width", "activation"],
                beside: "start")
        }
        try audio.validate(source: source, start: start)
        guard audio.kind == .none || kind == .clip else {
            throw ConcordError(
                .invalidConfiguration,
                "\(source): model.audio is for the model.kind clip, and this one is \(kind.rawValue); leave one out")
        }
        if kind.hasDecoder, imageTower != nil || textTower != nil {
            throw ConcordError(
                .invalidConfiguration,
                "\(source): model.kind coca starts from nothing; name a whole CoCa as model.start, or leave "
                    + "model.image_tower and model.text_tower out")
        }
        if imageTower != nil { try refuse(Self.imageKeys, beside: "image_tower") }
        if textTower != nil { try refuse(Self.textKeys, beside: "text_tower") }
        if imageTower != nil, textTower != nil { try refuse(["activation"], beside: "text_tower") }
        guard loads(.text) || textProjection != .perceptron else {
            throw ConcordError(
                .invalidConfiguration,
                "\(source): model.text_projection perceptron needs a model.text_tower of the BERT family; a new tower "
                    + "can have linear or none")
        }
        guard loads(.image) || imageSize.isMultiple(of: patchSize) else {
            throw ConcordError(
                .invalidConfiguration,
                "\(source): model.image_size \(imageSize) is not a multiple of model.patch_size \(patchSize)")
        }
        if kind == .clip, let first = Self.captionKeys.first(where: given.contains) {
            throw ConcordError(
                .invalidConfiguration,
                "\(source): model.\(first) is for the model.kind coca, and this one is clip; leave it out")
        }
        // What depends on a folder is checked when it is read.
        guard !loads(.text), !loads(.image) else { return }
        let ids = (vocabularySize: 4, start: 2, end: 3, pad: 3)
        let text = newTextTower(ids.vocabularySize, ids.start, ids.end, ids.pad)
        let towers = DualEncoderConfiguration(
            text: .transformer(text), vision: newImageTower, projectionWidth: projectionWidth)
        try kind.hasDecoder ? newCoCa(towers, text).validate(path: source) : towers.validate(path: source)
    }

    /// A CoCa of the recipe's sizes around two new towers.
    func newCoCa(_ towers: DualEncoderConfiguration, _ text: TextTransformerConfiguration) -> CoCaConfiguration {
        var text = text, vision = towers.vision
        // A token of its own fills the rows: in captions every other may stand for something.
        text.padToken = text.vocabularySize
        text.vocabularySize += 1
        text.classTokenMask = classTokenMask
        vision.queryPooling = QueryPoolingConfiguration(
            queries: poolerQueries, width: text.width, heads: poolerHeads, layout: poolerLayout)
        vision.normalizesAfterPooling = false
        var decoder = CaptionDecoderConfiguration(
            width: text.width, intermediateWidth: 4 * text.width, layers: decoderLayers, heads: decoderHeads,
            activation: activation)
        decoder.tiesLanguageHead = tiesLanguageHead
        return CoCaConfiguration(
            text: text, vision: vision, decoder: decoder, projectionWidth: towers.projectionWidth,
            initialLogitScale: towers.initialLogitScale)
    }

    /// A text tower of the recipe's sizes for a tokenizer's ids.
    func newTextTower(_ tokenizer: CLIPTokenizer) -> TextTowerConfiguration {
        .transformer(
            newTextTower(
                tokenizer.vocabularySize, tokenizer.startToken, tokenizer.endToken, tokenizer.padToken))
    }

    private func newTextTower(
        _ vocabularySize: Int, _ startToken: Int, _ endToken: Int, _ padToken: Int
    ) -> TextTransformerConfiguration {
        var text = TextTransformerConfiguration(
            vocabularySize: vocabularySize, width: textWidth, intermediateWidth: 4 * textWidth, layers: textLayers,
            heads: textHeads, contextLength: contextLength, activation: activation, padToken: padToken,
            startToken: startToken, endToken: endToken)
        text.projection = textProjection == .none ? .none : .linear
        return text
    }

    /// An image tower of the recipe's sizes.
    var newImageTower: VisionTransformerConfiguration {
        .init(
            width: visionWidth, intermediateWidth: 4 * visionWidth, layers: visionLayers, heads: visionHeads,
            imageSize: imageSize, patchSize: patchSize, activation: activation)
    }
}
