import ConcordCheckpoint
import ConcordCore
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordText
import Foundation

/// A model folder written anew in the form of another program.
package struct ModelConversion {
    package let source: String
    package let output: String
    package let layout: CheckpointLayout.Family
    /// The notes of loading the model.
    package let notes: [String]
    private let parameterCount: Int
    private let dtype: DType

    /// Converts the model of a folder.
    ///
    /// All is written beside the output folder first and moved there when it is complete, the manifest last.
    ///
    /// - Parameter replaces: whether a model in the output folder may be replaced; its other files stay.
    /// - Throws: `.invalidConfiguration` for a model that the form cannot express; `.fileSystem` for an output folder
    ///   that has a model in it; and as ``EmbeddingModel/load(_:dtype:device:)``.
    package init(
        of source: String, to layout: CheckpointLayout.Family, output: String, replaces: Bool = false
    ) throws {
        let target = URL(fileURLWithPath: output).standardizedFileURL.resolvingSymlinksInPath().path
        guard target != URL(fileURLWithPath: source).standardizedFileURL.resolvingSymlinksInPath().path else {
            throw ConcordError(.fileSystem, "\(output) is the model itself; name another output folder")
        }
        let old = try Self.modelFiles(output)
        guard replaces || old.isEmpty else {
            throw ConcordError(
                .fileSystem,
                "\(output) already contains a model (\(old[0])); name another folder, or use --force to replace it")
        }
        let model = try EmbeddingModel.load(source, dtype: nil)
        // A folder in Concord's own form would not be what was asked for.
        if layout == .huggingFace { try model.architecture().configuration.requireTransformersClass() }
        let temporary = target + ".tmp-\(getpid())"
        do {
            try model.save(to: temporary, layout: layout, training: ModelFolder(source).manifest?.training)
            try Self.move(temporary, to: target, replacing: old)
        } catch {
            try? FileManager.default.removeItem(atPath: temporary)
            throw error
        }
        self.source = source
        self.output = output
        self.layout = layout
        var notes = model.notes
        if layout == .huggingFace, let cleaning = model.texts?.tokenizer.manifest.cleaning,
            TextCleaning.openCLIP.contains(cleaning)
        {
            notes.append(
                "open_clip's `\(cleaning.rawValue)` cleans texts before tokenization; Concord keeps doing so, but "
                    + "transformers expects texts that are already clean")
        }
        self.notes = notes
        parameterCount = model.encoder.store.parameters.reduce(0) { $0 + $1.tensor.shape.reduce(1, *) }
        dtype = model.dtype
    }

    package var json: JSONValue {
        [
            "model": .string(output), "source": .string(source), "layout": .string(layout.rawValue),
            "parameters": .integer(parameterCount), "dtype": .string(dtype.rawValue),
            "notes": .array(notes.map(JSONValue.string)),
        ]
    }

    /// The files of a folder that make a model, without those that only accompany one.
    private static func modelFiles(_ folder: String) throws(ConcordError) -> [String] {
        guard Files.exists(folder) else { return [] }
        let names: [String]
        do { names = try FileManager.default.contentsOfDirectory(atPath: folder) } catch {
            throw ConcordError(.fileSystem, "cannot list \(folder): \(error.localizedDescription)")
        }
        let known = ["config.json", "open_clip_config.json", "modules.json", ModelManifest.fileName]
        return names.sorted().filter { name in
            known.contains(name) || name.hasSuffix(".safetensors") || name.hasSuffix(".safetensors.index.json")
        }
    }

    /// Moves a complete model folder to its place.
    private static func move(_ complete: String, to folder: String, replacing old: [String]) throws {
        func rename(_ source: String, _ target: String) throws(ConcordError) {
            guard Foundation.rename(source, target) == 0 else { throw .system("rename \(source) to", target) }
        }
        guard Files.exists(folder) else { return try rename(complete, folder) }
        let manager = FileManager.default
        // Without its manifest the old model is one that nobody vouches for, from here until the new one stands.
        for name in old.sorted(by: { $0 == ModelManifest.fileName && $1 != $0 }) + companions {
            let path = folder + "/" + name
            if Files.exists(path), unlink(path) != 0 { throw ConcordError.system("remove", path) }
        }
        let names = try manager.contentsOfDirectory(atPath: complete)
        for name in names.sorted(by: { $0 != ModelManifest.fileName && $1 == ModelManifest.fileName }) {
            let target = folder + "/" + name
            var isFolder: ObjCBool = false
            if manager.fileExists(atPath: target, isDirectory: &isFolder), isFolder.boolValue {
                try manager.removeItem(atPath: target)
            }
            try rename(complete + "/" + name, target)
        }
        try Files.synchronizeFolder(folder)
        try manager.removeItem(atPath: complete)
    }

    /// Files of an old model that would be read with the new one.
    private static let companions =
        ["preprocessor_config.json", "processor_config.json", "sentence_bert_config.json"]
        + TokenizerFiles.known
}
