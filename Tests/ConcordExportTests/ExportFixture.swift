import ConcordCheckpoint
import ConcordCore
import ConcordEvaluate
import ConcordMedia
import ConcordModels
import ConcordTestSupport
import ConcordText
import Foundation

/// The peers' tiny golden models as complete folders, which can be exported.
enum ExportFixture {
    static let coCas = ["coca", "coca-same-width", "coca-patches"]

    /// Copies a golden folder and adds a tokenizer of numbers and, for pictures, a preprocessing.
    ///
    /// - Parameter mask: what the class token of a CoCa sees; nil leaves that as it is.
    @discardableResult
    static func copy(
        _ name: String, to folder: String, mask: TextTransformerConfiguration.ClassTokenMask? = nil
    ) throws -> EmbeddingModel {
        try FileManager.default.copyItem(atPath: Golden.folder("models") + "/folders/" + name, toPath: folder)
        for file in try FileManager.default.contentsOfDirectory(atPath: folder)
        where file.hasPrefix("outputs") || file.hasPrefix("gradients") {
            try FileManager.default.removeItem(atPath: folder + "/" + file)
        }
        if mask == .correct {
            let path = folder + "/open_clip_config.json"
            let text = try String(contentsOfFile: path, encoding: .utf8)
            try Files.replace(
                path,
                with: text.replacingOccurrences(
                    of: "\"embed_cls\": true", with: "\"embed_cls\": true, \"correct_cls_mask\": true"))
        }
        let description = try ModelFolder(folder)
        switch description.text {
        case .transformer(let text):
            let count = text.vocabularySize
            try NumberTokenizer.write(
                to: folder, count: count, start: text.startToken < count ? text.startToken : nil,
                end: text.endToken < count ? text.endToken : count - 1, pad: text.padToken)
        case .bert(let text):
            try NumberTokenizer.write(to: folder, count: text.vocabularySize, start: nil, end: 3, pad: 0)
        case nil: break
        }
        if let size = description.architecture.vision?.imageSize, description.preprocessing == nil {
            try Files.replace(
                folder + "/preprocessor_config.json",
                with: ImagePreprocessing.clip(size: size).preprocessorConfig().text())
        }
        let model = try EmbeddingModel.load(folder)
        if let mask, case .transformer(let text) = try model.textSide().encoder.textConfiguration {
            guard text.classTokenMask == mask else { throw ConcordError(.invalidConfiguration, "another mask") }
        }
        return model
    }
}
