import ConcordCheckpoint
import ConcordCore
import ConcordMedia
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordText
import Foundation

extension EmbeddingModel {
    /// Writes a complete model folder, the manifest last: where it stands, everything else does too.
    ///
    /// The weights keep their dtype. A model that transformers has no class for gets Concord's own `config.json` in
    /// layout `huggingFace`; a sentence encoder gets the files of sentence-transformers, too.
    ///
    /// - Parameters:
    ///   - layout: whose names and files the folder has.
    ///   - training: where the weights come from; nil when that is not known.
    /// - Throws: `.invalidConfiguration`, before anything is written, for a model that the layout cannot hold;
    ///   `.fileSystem`.
    public func save(
        to folder: String, layout: CheckpointLayout.Family = .huggingFace, training: ModelManifest.Training?
    ) throws {
        try save(to: folder, layout: layout, training: training, withWeights: true)
    }

    /// Writes a model folder as ``save(to:layout:training:)`` does, but for the weights, which somebody keeps in another
    /// form.
    ///
    /// - Throws: `.fileSystem`.
    package func saveWithoutWeights(to folder: String, training: ModelManifest.Training?) throws {
        try save(to: folder, layout: .huggingFace, training: training, withWeights: false)
    }

    private func save(
        to folder: String, layout: CheckpointLayout.Family, training: ModelManifest.Training?, withWeights: Bool
    ) throws {
        let files = try documents(layout)
        let weights = layout == .openCLIP ? CheckpointReader.openCLIPNames[0] : CheckpointReader.fileName
        // What keeps a side of the model from working would be missing in the new folder, too.
        let texts = encoder is any TextEncoder ? try textResult.get() : nil
        if encoder is any ImageEncoder { _ = try imageResult.get() }
        if encoder is any AudioEncoder { _ = try audioResult.get() }
        try Files.makeFolder(folder)
        let manifestPath = folder + "/" + ModelManifest.fileName
        if Files.exists(manifestPath), unlink(manifestPath) != 0 { throw ConcordError.system("remove", manifestPath) }
        if withWeights {
            try encoder.store.save(
                to: folder + "/" + weights, layout: files.layout,
                // What either writes itself.
                metadata: layout == .openCLIP ? [:] : SafetensorsWriter.standardMetadata)
        }
        try texts?.tokenizer.write(to: folder, contextLength: texts?.encoder.textConfiguration.contextLength ?? 0)
        for (name, document) in files.documents {
            try Files.makeFolder(Files.parent(of: folder + "/" + name))
            try Files.replace(folder + "/" + name, with: document.text(pretty: true) + "\n")
        }
        var hashes = [String: String]()
        let own = [weights] + files.documents.map(\.name) + TokenizerFiles.known
        for name in own where !name.contains("/") && Files.exists(folder + "/" + name) {
            hashes[name] = try FileHash(.sha256, ofFile: folder + "/" + name).hexadecimal
        }
        let tokenizer = texts?.tokenizer.manifest
        var manifest = ModelManifest(
            try architecture(), tokenizer: tokenizer?.clipMode, crop: images?.preprocessing.cropRule,
            weightsLayout: layout, hashes: hashes, training: training)
        if let tokenizer {
            manifest.quirks.cleaning = TextCleaning.openCLIP.first { $0 == tokenizer.cleaning }
            manifest.quirks.lowercases = tokenizer.cleaning == .lowercase
            manifest.quirks.stripsSeparator = tokenizer.strippedToken != nil
        }
        manifest.calibration = calibration
        try manifest.write(folder: folder)
    }

    /// Throws `.invalidConfiguration` for a model that `save` refuses: to be asked before hours of training.
    package func checkSaving() throws(ConcordError) { _ = try documents(.huggingFace) }

    /// The files of the model's folder besides weights, tokenizer and manifest.
    private func documents(_ layout: CheckpointLayout.Family) throws(ConcordError) -> FolderDocuments {
        try architecture().configuration.documents(
            layout,
            .init(
                dtype: dtype, preprocessing: images?.preprocessing, audioPreprocessing: sounds?.preprocessing,
                tokenizer: texts?.tokenizer))
    }

    /// The description of the model in a folder. Throws `.invalidConfiguration` for a model that folders cannot hold.
    func architecture() throws(ConcordError) -> ModelFolder.Architecture {
        guard let architecture = encoder.architecture else {
            throw ConcordError(
                .invalidConfiguration,
                "a \(type(of: encoder)) cannot be saved as a model folder; save its parameters with `store.save(to:)`")
        }
        return architecture
    }
}

extension EmbeddingModel {
    /// The type of most parameters.
    var dtype: DType {
        let counts = Dictionary(grouping: encoder.store.parameters, by: \.tensor.dtype).mapValues {
            $0.reduce(0) { $0 + $1.tensor.shape.reduce(1, *) }
        }
        return counts.max { $0.value < $1.value }?.key ?? .float32
    }
}
