import ConcordCore

/// Chooses the kind of tokenizer by the files of a model folder.
public enum TokenizerFolder {
    /// Reads the tokenizer of a model folder.
    ///
    /// - Parameters:
    ///   - folder: a folder of Hugging Face, sentence-transformers or open_clip, or one that this package wrote.
    ///   - mode: how CLIP's own tokenizer cleans text; the other kinds have one way only.
    /// - Throws: `.fileSystem` when the folder has no tokenizer; `.invalidTokenizer` for one that is inconsistent, or
    ///   that has a part which is not supported.
    public static func load(
        _ folder: String, mode: CLIPTokenizer.Mode = .huggingface
    ) throws(ConcordError) -> any Tokenizer {
        let path = folder + "/tokenizer.json"
        let hasPieces = SentencePieceTokenizer.fileNames.contains { Files.exists(folder + "/" + $0) }
        // transformers reads SigLIP's model file even where a tokenizer.json lies beside it.
        let isSigLIP = try TokenizerSettings(folder: folder).tokenizerClass == "SiglipTokenizer" && hasPieces
        if Files.exists(path), !isSigLIP {
            let document = try TokenizerSettings.json(path)
            if TokenizerJSONReader.isCLIP(document) {
                return try CLIPTokenizer(document: document, source: path, mode: mode)
            }
            return try PipelineTokenizer(
                document: document, settings: try TokenizerSettings(folder: folder), source: path)
        }
        if Files.exists(folder + "/merges.txt") { return try CLIPTokenizer(folder: folder, mode: mode) }
        if Files.exists(folder + "/vocab.txt") { return try PipelineTokenizer(folder: folder) }
        if hasPieces { return try SentencePieceTokenizer(folder: folder) }
        throw ConcordError(
            .fileSystem,
            "\(folder) has no tokenizer: no tokenizer.json, vocab.json with merges.txt, vocab.txt or spiece.model; "
                + "name a model folder that has one")
    }
}
