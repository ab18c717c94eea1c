import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordMedia
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordText
import Foundation

/// The contents of a model folder, read from its configurations and the headers of its weights alone.
package struct ModelInspection {
    package let folder: ModelFolder
    /// Notes on conversions when loading, and on problems that would keep the model from embedding.
    package private(set) var notes: [String]
    /// Problems with tokenizer and preprocessing.
    private let inputNotes: [String]
    /// Whether all weights and hashes have been checked.
    package private(set) var isVerified = false
    /// The tensors of the files.
    let checkpoint: CheckpointReader
    /// Scalars by part of the model: `vision`, `text`, `audio`, `decoder`, and `logits` for the scale and bias.
    let parameterCounts: [(part: String, count: Int)]
    let tokenizer: (any Tokenizer)?
    let preprocessing: ImagePreprocessing?
    let audioPreprocessing: AudioPreprocessing?
    /// The logit scale and, where the model has one, the logit bias.
    let logits: (scale: Double, bias: Double?)?

    /// - Throws: `.invalidConfiguration` for a configuration that is not known, `.invalidCheckpoint` for damaged weights
    ///   and for weights that do not fit it, naming every tensor.
    package init(folder path: String) throws {
        let folder = try ModelFolder(path)
        checkpoint = try CheckpointReader(path: folder.weights)
        let source = ParameterSource(checkpoint, layout: folder.layout)
        // The parameters lie in the mapped files, which nobody touches: their shapes come from the headers.
        let store = ParameterStore(sources: [source], dtype: nil)
        let model = folder.architecture.makeModel(store: store)
        try Self.checkKeys(store, checkpoint, folder.layout)
        logits = (model as? any ImageTextEncoder).map { model in
            (model.logitScale.to(.float64).exp().item(), model.logitBias.map { $0.to(.float64).item() })
        }
        var counts = [String: Int]()
        for parameter in store.parameters {
            let part = Self.part(of: parameter.name, folder.architecture)
            counts[part, default: 0] += parameter.tensor.shape.reduce(1, *)
        }
        parameterCounts = ["vision", "text", "audio", "decoder", "logits"].compactMap { part in
            counts[part].flatMap { $0 > 0 ? (part, $0) : nil }
        }
        var inputNotes = [String]()
        func noting<Value>(_ body: () throws(ConcordError) -> Value) -> Value? {
            do throws(ConcordError) { return try body() } catch {
                inputNotes.append(error.message)
                return nil
            }
        }
        if folder.text != nil {
            tokenizer = noting { () throws(ConcordError) in try folder.loadTokenizer() }
        } else {
            tokenizer = nil
        }
        if folder.architecture.vision != nil {
            preprocessing = noting { () throws(ConcordError) in try folder.loadPreprocessing() }
        } else {
            preprocessing = nil
        }
        if folder.architecture.audio != nil {
            audioPreprocessing = noting { () throws(ConcordError) in try folder.loadAudioPreprocessing() }
        } else {
            audioPreprocessing = nil
        }
        self.folder = folder
        self.inputNotes = inputNotes
        notes = store.notes + inputNotes
    }

    /// Reads every weight and checks every hash of the manifest.
    ///
    /// - Throws: `.invalidCheckpoint` for a file that is not the one that the manifest was written for, and whatever
    ///   keeps the model from loading.
    package mutating func verify() throws {
        try folder.manifest?.verifyHashes(folder: folder.path)
        notes = try EmbeddingModel.load(folder.path, dtype: nil).notes + inputNotes
        isVerified = true
    }

    /// Throws one error that lists every difference between the checkpoint and what its configuration describes.
    private static func checkKeys(
        _ store: ParameterStore, _ checkpoint: CheckpointReader, _ layout: CheckpointLayout
    ) throws {
        let stored = store.parameters + store.buffers.filter { $0.origin == .checkpoint }
        let report = KeyReport(
            expected: layout.tensors(of: stored.map { .init($0.name, $0.tensor.shape) }),
            found: checkpoint.tensors.map { .init($0.name, $0.entry.shape) },
            ignoring: KeyReport.ignorable + layout.others)
        // Reads the values too, so only where something is to be told.
        if !report.isExact { try store.finishLoading() }
    }

    private static func part(of parameter: String, _ architecture: ModelFolder.Architecture) -> String {
        let towers =
            [("vision", architecture.vision != nil), ("text", architecture.text != nil)]
            + [("audio", architecture.audio != nil)]
        let parts = towers.filter(\.1).map(\.0)
        if parts.count == 1 { return parts[0] }
        if ["audio_model.", "audio_projection."].contains(where: parameter.hasPrefix) { return "audio" }
        if parameter.hasPrefix("text_decoder.") || parameter.hasPrefix("language_head.") { return "decoder" }
        if [Tower.image.root, Tower.image.projection].contains(where: { parameter.hasPrefix($0 + ".") }) {
            return "vision"
        }
        return parameter.hasPrefix("logit_") ? "logits" : "text"
    }
}
