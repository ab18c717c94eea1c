import ConcordCheckpoint
import ConcordCore
import ConcordMedia
import ConcordText
import Foundation

/// The files of a tiny artifact folder that are not graphs: configuration, tokenizer and preprocessing.
struct TinyInputs {
    let vocabularySize: Int
    /// What fills rows of tokens.
    let padToken: Int
    let startToken, endToken: Int32

    /// Writes the files.
    init(_ kind: TinyArtifact.Kind, folder: String) throws {
        let architecture: ModelFolder.Architecture, config: JSONValue
        if kind == .sentences {
            let words = Set(TinyArtifact.texts.flatMap { $0.split(separator: " ").map(String.init) }).sorted()
            let tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + words
            try Files.replace(folder + "/vocab.txt", with: tokens.joined(separator: "\n") + "\n")
            var text = BERTConfiguration(
                vocabularySize: tokens.count, width: TinyArtifact.embeddingWidth, intermediateWidth: 8, layers: 1,
                heads: 2, positions: TinyArtifact.contextLength)
            text.hasPooler = false
            (architecture, config) = (.sentenceEncoder(text), text.huggingFaceJSON())
            (vocabularySize, padToken, startToken, endToken) = (tokens.count, 0, 2, 3)
        } else {
            // Twice, so that every pair occurs often enough to be merged: a token for each word.
            let tokenizer = try BytePairTrainer.train(
                captions: TinyArtifact.texts + TinyArtifact.texts, vocabularySize: 700)
            try tokenizer.write(to: folder, contextLength: TinyArtifact.contextLength)
            let preprocessing = ImagePreprocessing.clip(size: TinyArtifact.imageSize)
            try Files.replace(
                folder + "/preprocessor_config.json", with: preprocessing.preprocessorConfig().text(pretty: true))
            vocabularySize = tokenizer.vocabularySize
            (startToken, endToken) = (Int32(tokenizer.startToken), Int32(tokenizer.endToken))
            var text = TextTransformerConfiguration(
                vocabularySize: tokenizer.vocabularySize, width: TinyArtifact.width, intermediateWidth: 8, layers: 1,
                heads: TinyArtifact.heads, contextLength: TinyArtifact.contextLength, padToken: 0,
                startToken: tokenizer.startToken, endToken: tokenizer.endToken)
            var vision = VisionTransformerConfiguration(
                width: TinyArtifact.width, intermediateWidth: 8, layers: 1, heads: TinyArtifact.heads,
                imageSize: TinyArtifact.imageSize, patchSize: TinyArtifact.patchSize)
            if kind == .coca {
                text.classTokenMask = .correct
                text.pooling = .argmax
                vision.queryPooling = QueryPoolingConfiguration(
                    queries: TinyArtifact.pictureTokens, width: TinyArtifact.width, heads: TinyArtifact.heads,
                    layout: .parallel)
                let configuration = CoCaConfiguration(
                    text: text, vision: vision,
                    decoder: CaptionDecoderConfiguration(
                        width: TinyArtifact.width, intermediateWidth: 8, layers: 1, heads: TinyArtifact.heads),
                    projectionWidth: TinyArtifact.embeddingWidth)
                (architecture, config) = (.coca(configuration), configuration.configurationJSON())
            } else {
                if kind == .siglip { (text.pooling, text.isCausal) = (.last, false) }
                let configuration = DualEncoderConfiguration(
                    text: .transformer(text), vision: vision, projectionWidth: TinyArtifact.embeddingWidth)
                (architecture, config) = (.dualEncoder(configuration), configuration.configurationJSON())
            }
            // Only a class token makes the configuration's pad token count.
            padToken = kind == .coca ? 0 : tokenizer.padToken
        }
        try Files.replace(folder + "/config.json", with: config.text(pretty: true) + "\n")
        let hasImages = kind != .sentences
        try ModelManifest(
            architecture, tokenizer: hasImages ? .huggingface : nil, crop: hasImages ? .torchvision : nil
        ).write(folder: folder)
    }
}
