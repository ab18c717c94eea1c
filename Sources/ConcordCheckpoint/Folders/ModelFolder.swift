import ConcordCore
import ConcordMedia
import ConcordText

/// A folder with a model: its architecture, weights, tokenizer and preprocessing.
///
/// It reads folders of transformers, open_clip and sentence-transformers, and Concord's own, which are transformers'
/// with a ``ModelManifest``.
public struct ModelFolder: Sendable {
    public let path: String
    public let architecture: Architecture
    /// The names and arrangement of the model's parameters in the weights.
    package let layout: CheckpointLayout
    /// The path that ``CheckpointReader`` opens: the folder, or a file in it.
    package let weights: String
    /// Nil for a folder without the file, and for a model of texts alone.
    package let preprocessing: PreprocessingSource?
    package let tokenizer: TokenizerSource
    /// Nil for a folder that Concord did not write.
    public let manifest: ModelManifest?

    /// The text tower; nil for a model of images alone.
    public var text: TextTowerConfiguration? { architecture.text }

    /// Reads the configuration of a folder, in whichever of the known forms it is, and the headers of its weights,
    /// which say how they are spelled and whether a BERT tower has its pooler.
    ///
    /// A folder of both transformers and open_clip is read as transformers' when its weights in that form are
    /// safetensors. Without weights the configuration alone is read.
    ///
    /// - Throws: `.invalidCheckpoint` for a folder without a configuration, for damaged weights, and for those of a
    ///   CoCa whose pooler or language head is not the configuration's,
    ///   `.invalidConfiguration` for one that describes no model that is known, or whose manifest says something else.
    public init(_ path: String) throws(ConcordError) {
        self.path = path
        let manifest = Files.exists(path + "/" + ModelManifest.fileName) ? try ModelManifest(folder: path) : nil
        self.manifest = manifest
        let files = try FolderFiles(path, manifest: manifest)
        var found = try files.contents()
        if found.hasWeights {
            found.architecture = try found.architecture.configuration.fitted(
                to: CheckpointReader(path: found.weights), &found.layout)
        }
        architecture = found.architecture
        layout = found.layout
        weights = found.weights
        preprocessing = architecture.vision == nil ? nil : try files.preprocessing(found.layout)
        if let manifest {
            try manifest.check(found.architecture, found.layout, path: path)
            if let mode = manifest.quirks.tokenizer { found.tokenizer.clipMode = mode }
            if let cleaning = manifest.quirks.cleaning { found.tokenizer.cleaning = cleaning }
            if manifest.quirks.lowercases { found.tokenizer.lowercases = true }
            if manifest.quirks.stripsSeparator { found.tokenizer.stripsSeparator = true }
        }
        tokenizer = found.tokenizer
    }
}

/// The place of a model folder's tokenizer, and what is done to texts and ids besides.
package struct TokenizerSource: Sendable, Hashable {
    /// The folder of the tokenizer's files, which may lack them.
    package var folder: String
    /// The mode of CLIP's own tokenizer; other kinds have none.
    package var clipMode: CLIPTokenizer.Mode
    /// The cleaning that open_clip does before the tokenizer's own steps; nil leaves texts to the tokenizer.
    ///
    /// Nil for CLIP's own tokenizer in its usual form, whose mode includes it.
    package var cleaning: TextCleaning?
    /// Whether texts are lowercased first (sentence-transformers' `do_lower_case`).
    package var lowercases = false
    /// Whether the separator after a text is replaced by id 0 (open_clip's `strip_sep_token`).
    package var stripsSeparator = false
    /// The hub name of the tokenizer, where the configuration gives one (open_clip's `hf_tokenizer_name`).
    package var name: String?

    package init(folder: String, clipMode: CLIPTokenizer.Mode = .huggingface) {
        self.folder = folder
        self.clipMode = clipMode
    }
}

extension TokenizerSource {
    /// Reads the members of an open_clip `text_cfg` that are the tokenizer's, as `get_tokenizer` of open_clip 3.3 does.
    ///
    /// - Throws: `.invalidConfiguration` for a setting that is not supported.
    init(openCLIP text: JSONFields, folder: String) throws(ConcordError) {
        self.init(folder: folder, clipMode: .openai)
        try text.refuse("tokenizer_mode", allowing: [""], "only the usual mode is supported")
        let options = try text.object("tokenizer_kwargs")
        let isOwn = (text["hf_tokenizer_name"]?.string ?? "").isEmpty
        try options.refuseUnknown(isOwn ? ["clean", "context_length"] : ["clean", "strip_sep_token"])
        let standard: TextCleaning = isOwn ? .lower : .whitespace
        let cleaning = try options.choice("clean", default: standard, among: TextCleaning.openCLIP)
        self.cleaning = isOwn && cleaning == standard ? nil : cleaning
        guard !isOwn else { return }
        // open_clip then goes through transformers' class.
        clipMode = .huggingface
        stripsSeparator = try options.boolean("strip_sep_token", default: false)
        name = text["hf_tokenizer_name"]?.string
        // A text tower may keep its tokenizer beside its own configuration, in a folder of its name within.
        let within = folder + "/" + (name ?? "")
        let isWithin = name.map { !$0.hasPrefix("/") && !$0.split(separator: "/").contains("..") } ?? false
        if isWithin, !Self.holdsTokenizer(folder), Self.holdsTokenizer(within) { self.folder = within }
    }

    private static func holdsTokenizer(_ folder: String) -> Bool {
        TokenizerFiles.vocabularies.contains { Files.exists(folder + "/" + $0) }
    }
}

extension ClipRule {
    /// Spectrograms of a sound, and their frames; nil where these depend on the sound.
    fileprivate func spectrogram(_ mel: MelSpectrogram) -> (channels: Int, frames: Int?) {
        switch self {
        case .whole: (1, nil)
        case .frames(let count): (1, count)
        case .samples(let count, _, let long): (long == .thirds ? 4 : 1, mel.frameCount(samples: count))
        }
    }
}

/// The document of a model folder that describes its image preprocessing.
package enum PreprocessingSource: Sendable, Hashable {
    /// `preprocessor_config.json` or `processor_config.json` of transformers.
    case huggingFace(JSONValue)
    /// The whole `open_clip_config.json`.
    case openCLIP(JSONValue)
}

// Tokenizer and preprocessing, which need none of the weights.
extension ModelFolder {
    /// Reads the tokenizer of the folder.
    ///
    /// - Throws: as `TokenizerFolder.load`; `.invalidConfiguration` for one with more tokens than the text tower knows,
    ///   and for a model without texts.
    public func loadTokenizer() throws(ConcordError) -> any Tokenizer {
        guard let text else {
            throw ConcordError(.invalidConfiguration, "\(path) embeds images only; name a model with a text tower")
        }
        let base = try TokenizerFolder.load(tokenizer.folder, mode: tokenizer.clipMode)
        try require(
            base.vocabularySize <= text.vocabularySize,
            "its tokenizer has \(base.vocabularySize) tokens, its configuration \(text.vocabularySize)")
        let cleaning = tokenizer.cleaning ?? .none
        // An empty text ends with the separator.
        let separator = tokenizer.stripsSeparator ? base.encode("").last : nil
        guard cleaning != .none || separator != nil || tokenizer.lowercases else { return base }
        return CleaningTokenizer(
            base, cleaning: tokenizer.lowercases ? .lowercase : cleaning, strippedToken: separator)
    }

    /// Reads the image preprocessing of the folder's model.
    ///
    /// - Throws: `.fileSystem` when the folder has none; `.invalidConfiguration` for a model without images, for
    ///   unsupported steps, and when the image tower needs another image size.
    public func loadPreprocessing() throws(ConcordError) -> ImagePreprocessing {
        guard let vision = architecture.vision else {
            throw ConcordError(.invalidConfiguration, "\(path) embeds texts only; name a model with an image tower")
        }
        let found: ImagePreprocessing =
            if case .openCLIP(let document) = preprocessing {
                try ImagePreprocessing(openCLIPConfig: document, imageSize: vision.imageSize)
            } else {
                try ImagePreprocessing(folder: path)
            }
        try require(vision.channels == 3, "its configuration wants \(vision.channels) channels, images have 3")
        try require(
            found.cropSize == vision.imageSize,
            "its preprocessing makes images of \(found.cropSize) pixels, its configuration wants \(vision.imageSize)")
        return found
    }

    /// Reads the audio preprocessing of the folder's model.
    ///
    /// - Throws: `.fileSystem` when the folder has none; `.invalidConfiguration` for a model without sounds, for
    ///   unsupported steps, and when the audio tower needs other spectrograms.
    public func loadAudioPreprocessing() throws(ConcordError) -> AudioPreprocessing {
        guard let audio = architecture.audio else {
            throw ConcordError(.invalidConfiguration, "\(path) embeds no sounds; name a model with an audio tower")
        }
        let found = try AudioPreprocessing(folder: path), bins = found.mel.bins
        try require(
            bins == audio.bins, "its preprocessing makes \(bins) mel bins, its configuration wants \(audio.bins)")
        let (channels, frames) = found.clip.spectrogram(found.mel)
        try require(
            channels == audio.channels,
            "its preprocessing makes \(channels) spectrograms of a sound, its configuration wants \(audio.channels)")
        try require(
            // Of whole sounds a tower for sounds of any length hears as much as it can.
            frames.map(audio.frames.contains) ?? (audio.frames.lowerBound == 1),
            "its preprocessing makes spectrograms of \(frames.map(String.init) ?? "any number of") frames, its "
                + "configuration wants \(audio.frames.lowerBound) to \(audio.frames.upperBound)")
        return found
    }

    /// Throws `.invalidConfiguration` when the files of the folder do not belong together.
    private func require(_ isRight: Bool, _ problem: @autoclosure () -> String) throws(ConcordError) {
        guard !isRight else { return }
        throw ConcordError(.invalidConfiguration, "\(path): \(problem()); fetch or save the model again")
    }
}

extension TextTowerConfiguration {
    /// The token that pads rows. A tower with a class token finds the end of a text by it, so it must be the tower's;
    /// for others it makes no difference, or the tokenizer's files define it.
    package func padToken(_ tokenizer: any Tokenizer) -> Int {
        if case .transformer(let text) = self, text.classTokenMask != nil { return text.padToken }
        return tokenizer.padToken
    }
}
