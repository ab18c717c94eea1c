import ConcordCore
import ConcordMedia
import ConcordText

/// The documents of a model folder besides weights, tokenizer and manifest.
package struct FolderDocuments {
    /// What the documents say besides the configuration.
    package struct Inputs {
        /// The type of most weights.
        let dtype: DType
        /// Nil for a model without images.
        let preprocessing: ImagePreprocessing?
        /// Nil for a model without sounds.
        let audioPreprocessing: AudioPreprocessing?
        /// Nil for a model of images alone.
        let tokenizer: (any Tokenizer)?

        package init(
            dtype: DType, preprocessing: ImagePreprocessing?, audioPreprocessing: AudioPreprocessing? = nil,
            tokenizer: (any Tokenizer)?
        ) {
            self.dtype = dtype
            self.preprocessing = preprocessing
            self.audioPreprocessing = audioPreprocessing
            self.tokenizer = tokenizer
        }
    }

    package let layout: CheckpointLayout
    /// Paths within the folder, and contents.
    package private(set) var documents: [(name: String, document: JSONValue)]

    /// The documents of transformers: `config.json`, and for images or sounds `preprocessor_config.json`.
    init(
        _ layout: CheckpointLayout, config: JSONValue, _ inputs: Inputs,
        more: [(name: String, document: JSONValue)] = []
    ) throws(ConcordError) {
        self.layout = layout
        let members = (config.members ?? []).map {
            $0.name == "dtype" ? .init("dtype", .string(inputs.dtype.rawValue)) : $0
        }
        documents = [("config.json", .object(members))]
        if let preprocessing = inputs.preprocessing {
            documents.append(("preprocessor_config.json", try preprocessing.preprocessorConfig()))
            if let audio = inputs.audioPreprocessing {
                documents.append(("processor_config.json", ["feature_extractor": audio.preprocessorConfig()]))
            }
        } else if let preprocessing = inputs.audioPreprocessing {
            documents.append(("preprocessor_config.json", preprocessing.preprocessorConfig()))
        }
        documents += more
    }

    /// The documents of open_clip: `open_clip_config.json`, which `make` gives.
    init(
        openCLIP layout: CheckpointLayout, _ inputs: Inputs, more: [(name: String, document: JSONValue)] = [],
        make: (_ preprocessing: JSONValue, _ tokenizer: [JSONValue.Member]) throws(ConcordError) -> JSONValue
    ) throws(ConcordError) {
        self.layout = layout
        documents = []
        guard let preprocessing = try inputs.preprocessing?.openCLIPConfig()["preprocess_cfg"] else { return }
        documents =
            more + [(FolderFiles.openCLIPName, try make(preprocessing, Self.openCLIPTokenizer(inputs.tokenizer)))]
    }

    /// The settings that open_clip needs to tokenize as the model does; none for CLIP's vocabulary, which it has.
    ///
    /// With a name of any kind, open_clip reads the tokenizer files of the folder itself.
    private static func openCLIPTokenizer(_ tokenizer: (any Tokenizer)?) -> [JSONValue.Member] {
        guard let tokenizer else { return [] }
        let manifest = tokenizer.manifest
        let isPublishedCLIP =
            manifest.clipMode != nil
            && tokenizer.vocabularySize == TextTransformerConfiguration().vocabularySize
        guard !isPublishedCLIP || manifest.cleaning != .none || manifest.strippedToken != nil else { return [] }
        var options = [JSONValue.Member]()
        if let cleaning = cleaning(manifest), cleaning != .whitespace {
            options.append(.init("clean", .string(cleaning.rawValue)))
        }
        if manifest.strippedToken != nil { options.append(.init("strip_sep_token", true)) }
        let name = JSONValue.Member("hf_tokenizer_name", "tokenizer")
        return options.isEmpty ? [name] : [name, .init("tokenizer_kwargs", .object(options))]
    }

    /// The cleaning that open_clip must do before the folder's tokenizer sees a text.
    private static func cleaning(_ tokenizer: TokenizerManifest) -> TextCleaning? {
        if tokenizer.cleaning != .none { return tokenizer.cleaning }
        return switch tokenizer.kind {
        case .clip(let mode): mode == .openai ? .lower : .whitespace
        // transformers' class does the same by itself; open_clip's configurations of SigLIP say it all the same.
        case .sentencePiece: .canonicalize
        case .huggingFace: nil
        }
    }
}
