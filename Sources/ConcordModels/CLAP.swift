import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// CLAP (Wu et al. 2023): sounds and texts as unit vectors of one space.
///
/// Follows `ClapModel` of transformers 5.23, with its parameter names; unfused and fused.
public struct CLAP: AudioTextEncoder {
    public let configuration: CLAPConfiguration
    public let store: ParameterStore
    private let audio: HTSAT
    private let text: BERT
    private let audioProjection, textProjection: Projection
    /// The logarithms of the scales of the logits of sounds over texts and of texts over sounds, `[]` each.
    public let audioLogitScale, textLogitScale: Tensor

    /// Makes the towers from a store: drawn at random, or read from the store's checkpoints.
    public init(_ configuration: CLAPConfiguration, store: ParameterStore) {
        self.configuration = configuration
        self.store = store
        let scope = ParameterScope(store), width = configuration.projectionWidth
        audioLogitScale = scope.parameter("logit_scale_a", [], .constant(log(configuration.initialScale)))
        textLogitScale = scope.parameter("logit_scale_t", [], .constant(log(configuration.initialScale)))
        text = BERT(scope / "text_model", configuration.text)
        // Files carry both tables, which say no more than their lengths.
        let positions = configuration.text.positions, embeddings = scope / "text_model" / "embeddings"
        _ = embeddings.buffer("position_ids", Tensor(Array(0..<positions), shape: [1, positions]))
        _ = embeddings.buffer("token_type_ids", .zeros([1, positions], dtype: .int64))
        textProjection = Projection(
            scope / "text_projection", configuration.text.width, width, configuration.projectionActivation)
        audio = HTSAT(scope / "audio_model" / "audio_encoder", configuration.audio)
        audioProjection = Projection(
            scope / "audio_projection", configuration.audio.width, width, configuration.projectionActivation)
    }

    /// Two linear layers around an activation, keys `linear1` and `linear2`: `[…, inputs] → […, outputs]`.
    private struct Projection {
        let first, second: Linear
        let activation: Activation

        init(_ scope: ParameterScope, _ inputs: Int, _ outputs: Int, _ activation: Activation) {
            first = Linear(scope / "linear1", inputs, outputs)
            second = Linear(scope / "linear2", outputs, outputs)
            self.activation = activation
        }

        func callAsFunction(_ x: Tensor) -> Tensor { second(activation(first(x))) }
    }

    /// Unit vectors of log-mel spectrograms in decibels: `[batch, channels, frames, bins] → [batch, projectionWidth]`.
    ///
    /// - Parameter lengths: frames of each clip, int64 `[batch]`. In the fused model a clip with more frames than its
    ///   spectrogram counts as longer: its three crops, channels 1 to 3, are fused with the whole clip in channel 0.
    ///   Nil where no clip is longer.
    public func embedAudio(_ features: Tensor, lengths: Tensor? = nil) -> Tensor {
        audioProjection(audio(features, lengths: lengths)).normalized()
    }

    /// Unit vectors of token ids: `[batch, tokens] → [batch, projectionWidth]`.
    ///
    /// - Parameter lengths: the length of each row without its padding, int64 `[batch]`; nil when no row is padded.
    public func embedTexts(_ ids: Tensor, lengths: Tensor? = nil) -> Tensor {
        textProjection(text(ids, lengths: lengths)).normalized()
    }

    /// Scaled cosines of sounds over texts: `[n, projectionWidth]` and `[m, projectionWidth]` → `[n, m]`.
    public func logits(sounds: Tensor, texts: Tensor) -> Tensor {
        audioLogitScale.exp() * sounds.matmul(texts.transposed(0, 1))
    }

    public var audioConfiguration: AudioTowerConfiguration { .htsat(configuration.audio) }
    public var textConfiguration: TextTowerConfiguration { .bert(configuration.text) }
    public var architecture: ModelFolder.Architecture? { .clap(configuration) }
    public var embeddingWidth: Int { configuration.projectionWidth }

    // As a model that trains.

    public func encoders(for outputs: Set<ModelOutput>) -> [RowEncoder] {
        [
            RowEncoder(.audio) { features, lengths in embedAudio(features, lengths: lengths) },
            RowEncoder(.text) { ids, lengths in embedTexts(ids, lengths: lengths) },
        ].filter { !outputs.isDisjoint(with: $0.outputs) }
    }

    public var loggedValues: [(name: String, value: Double)] {
        [("logit_scale_a", exp(audioLogitScale.item())), ("logit_scale_t", exp(textLogitScale.item()))]
    }

    /// Keeps the logarithms of both logit scales in `[0, ln 100]`, as LAION's training does after every step.
    public func didUpdate() {
        for scale in [audioLogitScale, textLogitScale] where scale.requiresGradient {
            withoutGradient { scale.formClamp(min: 0, max: log(100)) }
        }
    }
}

extension CLAPConfiguration: ModelConfiguration {
    package func makeModel(store: ParameterStore) -> CLAP { CLAP(self, store: store) }
}
