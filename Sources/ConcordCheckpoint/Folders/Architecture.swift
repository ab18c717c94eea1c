import ConcordCore

extension ModelFolder {
    /// The kinds of models that folders hold, each with the configuration that says all that differs between them.
    ///
    /// A new kind is its configuration, which conforms to `ArchitectureConfiguration`; the model, in a file of
    /// ConcordModels; and its lines in this file. Nothing else asks which kind a model is.
    public enum Architecture: Sendable, Hashable {
        case dualEncoder(DualEncoderConfiguration)
        /// A text tower alone, as sentence-transformers keeps them.
        case sentenceEncoder(BERTConfiguration)
        case coca(CoCaConfiguration)
        /// Towers of images, texts and speech in one space.
        case tripleEncoder(TripleEncoderConfiguration)
        /// One vector of any modalities.
        case fused(FusedModelConfiguration)
        /// The text tower of a CLIP or SigLIP alone, which gives vectors of that width.
        case textTower(TextTransformerConfiguration, width: Int)
        /// The image tower of a CLIP or SigLIP alone, which gives vectors of that width.
        case imageTower(VisionTransformerConfiguration, width: Int)
        case clap(CLAPConfiguration)
        /// The encoder of a Whisper alone.
        case whisperEncoder(WhisperEncoderConfiguration)
        case ast(ASTConfiguration)

        package var configuration: any ArchitectureConfiguration {
            switch self {
            case .dualEncoder(let configuration): configuration
            case .sentenceEncoder(let configuration): configuration
            case .coca(let configuration): configuration
            case .tripleEncoder(let configuration): configuration
            case .fused(let configuration): configuration
            case .textTower(let text, let width): SingleTextTowerConfiguration(text: text, width: width)
            case .imageTower(let vision, let width): SingleImageTowerConfiguration(vision: vision, width: width)
            case .clap(let configuration): configuration
            case .whisperEncoder(let configuration): configuration
            case .ast(let configuration): configuration
            }
        }

        /// The kinds in the order in which a folder is tried to be read as them. The last one refuses what is unknown.
        package static let kinds: [any ArchitectureConfiguration.Type] = [
            CoCaConfiguration.self, FusedModelConfiguration.self, TripleEncoderConfiguration.self,
            BERTConfiguration.self, SingleTextTowerConfiguration.self, SingleImageTowerConfiguration.self,
            CLAPConfiguration.self, WhisperEncoderConfiguration.self, ASTConfiguration.self,
            DualEncoderConfiguration.self,
        ]
    }
}

extension ModelManifest {
    /// The kinds of models, by the tokens of `architecture`.
    public enum Architecture: String, Sendable, Hashable, CaseIterable {
        case clip, siglip, coca
        /// Two towers of which the text tower is a BERT.
        case dualEncoder = "dual-encoder"
        /// Towers of images, texts and speech.
        case tripleEncoder = "triple-encoder"
        case sentenceEncoder = "sentence-encoder"
        /// One tower of a CLIP or SigLIP alone.
        case textTower = "text-tower"
        case imageTower = "image-tower"
        /// CLAP: sounds and texts.
        case clap
        /// Models of sounds alone.
        case whisperEncoder = "whisper-encoder"
        case ast
        /// One vector of any modalities.
        case fused
    }
}

/// The configuration of a whole model, and what a folder of its kind has.
package protocol ArchitectureConfiguration: Sendable, Hashable {
    var architecture: ModelFolder.Architecture { get }
    /// The token of `architecture` in `concord.json`.
    var kind: ModelManifest.Architecture { get }
    /// A noun phrase for messages.
    var kindName: String { get }
    /// The text tower; nil for a model without texts.
    var textTower: TextTowerConfiguration? { get }
    /// The image tower; nil for a model without images.
    var imageTower: VisionTransformerConfiguration? { get }
    /// The audio tower; nil for a model without sounds.
    var audioTower: AudioTowerConfiguration? { get }
    /// Width of the space that the towers project into; nil for a model that has no such thing.
    var projectedWidth: Int? { get }
    /// The two towers without what else the model has; nil for a model of one tower.
    var towerPair: DualEncoderConfiguration? { get }
    /// The decoder of a model that writes captions; nil for others.
    var captionDecoder: CaptionDecoderConfiguration? { get }

    /// The model with the image size, the context length and the initial logit scale of other towers.
    func resized(to towers: DualEncoderConfiguration) -> ModelFolder.Architecture
    /// Throws `.invalidConfiguration` for values that no model can have.
    func validate(path: String) throws(ConcordError)

    // Folders

    /// Reads the configuration of a folder; nil where it holds another kind of model.
    static func read(_ files: FolderFiles) throws(ConcordError) -> FolderContents?
    /// The model as its weights complete the configuration, and the variant of the layout that they have.
    ///
    /// - Throws: `.invalidCheckpoint` for weights that belong to another model.
    func fitted(
        to checkpoint: CheckpointReader, _ layout: inout CheckpointLayout
    ) throws(ConcordError) -> ModelFolder.Architecture
    /// What a folder has besides weights, tokenizer and manifest.
    ///
    /// - Throws: `.invalidConfiguration` for a model that has no form in the layout.
    func documents(
        _ layout: CheckpointLayout.Family, _ inputs: FolderDocuments.Inputs
    ) throws(ConcordError) -> FolderDocuments
    /// Throws `.invalidConfiguration` for a model that no class of transformers computes.
    func requireTransformersClass() throws(ConcordError)
}

extension ArchitectureConfiguration {
    package var audioTower: AudioTowerConfiguration? { nil }
    package var towerPair: DualEncoderConfiguration? { nil }
    package var captionDecoder: CaptionDecoderConfiguration? { nil }
    package func resized(to towers: DualEncoderConfiguration) -> ModelFolder.Architecture { architecture }
    package func requireTransformersClass() throws(ConcordError) {}
}

extension ModelFolder.Architecture {
    /// The text tower; nil for a model without texts.
    public var text: TextTowerConfiguration? { configuration.textTower }
    /// The image tower; nil for a model without images.
    public var vision: VisionTransformerConfiguration? { configuration.imageTower }
    /// The audio tower; nil for a model without sounds.
    public var audio: AudioTowerConfiguration? { configuration.audioTower }
    /// The decoder of a model that writes captions; nil for others.
    package var decoder: CaptionDecoderConfiguration? { configuration.captionDecoder }
}
