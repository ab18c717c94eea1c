import ConcordCore

/// Where a model folder describes how pictures are prepared, with the document's contents.
public enum PreprocessingSource: Sendable, Hashable {
    /// `preprocessor_config.json` or `processor_config.json` of transformers.
    case huggingFace(JSONValue)
    /// The whole `open_clip_config.json`.
    case openCLIP(JSONValue)
}
