import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// Three towers whose outputs are compared by cosine: images, texts and speech in one space.
///
/// The towers of images and texts are those of a ``DualEncoder``, under the same names; that of speech is a
/// ``SpeechTower`` with a projection. One logit scale serves all pairs.
public struct TripleEncoder: ImageTextEncoder, AudioEncoder {
    public let configuration: TripleEncoderConfiguration
    private var towers: DualEncoder
    private let speech: SpeechTower
    private let speechProjection: Linear

    /// Makes the towers from a store: drawn at random, or read from the store's checkpoints.
    public init(_ configuration: TripleEncoderConfiguration, store: ParameterStore) {
        self.configuration = configuration
        towers = DualEncoder(configuration.towers, store: store)
        let scope = ParameterScope(store), width = configuration.audio.width
        speech = SpeechTower(scope / "audio_model", configuration.audio)
        speechProjection = Linear(
            scope / "audio_projection", width, configuration.towers.projectionWidth, hasBias: false,
            weightInitializer: .normal(standardDeviation: 1 / Double(width).squareRoot()))
    }

    public var store: ParameterStore { towers.store }
    public var logitScale: Tensor { towers.logitScale }
    public var logitBias: Tensor? { towers.logitBias }
    public var embeddingWidth: Int { towers.embeddingWidth }
    public var architecture: ModelFolder.Architecture? { .tripleEncoder(configuration) }

    public var textConfiguration: TextTowerConfiguration { towers.textConfiguration }
    public var visionConfiguration: VisionTransformerConfiguration { towers.visionConfiguration }
    public var audioConfiguration: AudioTowerConfiguration { .speech(configuration.audio) }
    public var patchDropout: Double {
        get { towers.patchDropout }
        set { towers.patchDropout = newValue }
    }

    /// Unit vectors of normalized images: `[batch, 3, size, size] → [batch, projectionWidth]`.
    public func embedImages(_ pixels: Tensor) -> Tensor { towers.embedImages(pixels) }

    /// Unit vectors of token ids: `[batch, tokens] → [batch, projectionWidth]`.
    ///
    /// - Parameter lengths: the length of each row without its padding, int64 `[batch]`; nil when no row is padded.
    public func embedTexts(_ ids: Tensor, lengths: Tensor? = nil) -> Tensor {
        towers.embedTexts(ids, lengths: lengths)
    }

    /// Unit vectors of log-mel spectrograms: `[batch, 1, frames, bins] → [batch, projectionWidth]`.
    ///
    /// - Parameter lengths: frames that are no padding, int64 `[batch]`; nil when none is.
    public func embedAudio(_ features: Tensor, lengths: Tensor? = nil) -> Tensor {
        speechProjection(speech(features, lengths: lengths)).normalized()
    }

    public func encoders(for outputs: Set<ModelOutput>) -> [RowEncoder] {
        let audio = RowEncoder(.audio) { features, lengths in embedAudio(features, lengths: lengths) }
        return towerEncoders(for: outputs) + (outputs.isDisjoint(with: audio.outputs) ? [] : [audio])
    }
}

extension TripleEncoderConfiguration: ModelConfiguration {
    package func makeModel(store: ParameterStore) -> TripleEncoder { TripleEncoder(self, store: store) }
}
