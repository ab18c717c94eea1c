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
        try CLIPTokenizer(folder: folder, mode: mode)
    }
}
