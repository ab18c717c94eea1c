import ConcordCore

/// A tower that turns spectrograms into vectors.
public enum AudioTowerConfiguration: Sendable, Hashable {
    case htsat(HTSATConfiguration)
    case whisper(WhisperEncoderConfiguration)
    case ast(ASTConfiguration)
    case speech(SpeechTowerConfiguration)

    /// Width of a clip's vector before a projection.
    package var width: Int {
        switch self {
        case .htsat(let audio): audio.width
        case .whisper(let audio): audio.width
        case .ast(let audio): audio.width
        case .speech(let audio): audio.width
        }
    }

    /// Mel bins of a spectrogram.
    package var bins: Int {
        switch self {
        case .htsat(let audio): audio.bins
        case .whisper(let audio): audio.bins
        case .ast(let audio): audio.bins
        case .speech(let audio): audio.bins
        }
    }

    /// Spectrograms of a clip: 4 where clips that are longer than one are seen as a whole and in three crops.
    package var channels: Int {
        if case .htsat(let audio) = self { audio.channels } else { 1 }
    }

    /// The numbers of frames that a spectrogram may have.
    package var frames: ClosedRange<Int> {
        switch self {
        case .htsat(let audio): 1...audio.longestFrames
        case .whisper(let audio): 2 * audio.positions...2 * audio.positions
        case .ast(let audio): audio.frames...audio.frames
        case .speech(let audio): 1...audio.frames
        }
    }
}

/// The configuration of a model of sounds that transformers has, too: how its folders are read and written.
package protocol AudioModelConfiguration: ArchitectureConfiguration {
    /// `model_type` in `config.json`.
    static var modelType: String { get }
    /// transformers' names of the tensors.
    static var layout: CheckpointLayout { get }

    /// Reads a `config.json` of transformers. Throws `.invalidConfiguration` for values that no model can have.
    init(huggingFace json: JSONValue, path: String) throws(ConcordError)
    /// The `config.json` that transformers reads back.
    func huggingFaceJSON() -> JSONValue
}

extension AudioModelConfiguration {
    package var textTower: TextTowerConfiguration? { nil }
    package var imageTower: VisionTransformerConfiguration? { nil }
    package var projectedWidth: Int? { nil }

    package static func read(_ files: FolderFiles) throws(ConcordError) -> FolderContents? {
        guard !files.isOpenCLIP, let config = files.config, files.modelType == modelType else { return nil }
        let configuration = try Self(huggingFace: config, path: files.configPath)
        return FolderContents(
            architecture: configuration.architecture, layout: layout, weights: files.path,
            tokenizer: TokenizerSource(folder: files.path))
    }

    package func documents(
        _ layout: CheckpointLayout.Family, _ inputs: FolderDocuments.Inputs
    ) throws(ConcordError) -> FolderDocuments {
        guard layout == .huggingFace else {
            throw ConcordError(
                .invalidConfiguration, "open_clip has no format for models of sounds; save it as huggingface")
        }
        return try FolderDocuments(Self.layout, config: huggingFaceJSON(), inputs)
    }
}
