import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// The encoder of Whisper (Radford et al. 2023) alone: log-mel spectrograms → unit vectors.
///
/// Follows `WhisperEncoder` in `models/whisper/modeling_whisper.py` of transformers 5.23, which has no vector of a clip:
/// here it is the mean over the tokens of the frames that are no padding. The padding is attended to, as it was when the
/// weights were trained.
package struct WhisperEncoder: AudioEncoder {
    package let configuration: WhisperEncoderConfiguration
    package let store: ParameterStore
    private let first, second: Convolution1D
    private let positions: Embedding
    private let encoder: Transformer
    private let norm: LayerNorm

    package init(_ configuration: WhisperEncoderConfiguration, store: ParameterStore) {
        self.configuration = configuration
        self.store = store
        let scope = ParameterScope(store) / "audio_model", width = configuration.width
        first = Convolution1D(scope / "conv1", configuration.bins, width, kernelSize: 3, padding: 1)
        second = Convolution1D(scope / "conv2", width, width, kernelSize: 3, stride: 2, padding: 1)
        positions = Embedding(
            scope / "embed_positions", configuration.positions, width,
            initializer: .values { [configuration] in
                SinusoidalPositions.line(count: configuration.positions, width: configuration.width)
            }, isTrained: false)
        encoder = Transformer(
            scope,
            TransformerConfiguration(
                width: width, intermediateWidth: configuration.intermediateWidth, layers: configuration.layers,
                heads: configuration.heads, activation: configuration.activation, layerNormEpsilon: 1e-5,
                isCausal: false, attentionBiases: .allButKeys, initialization: .torchDefaults))
        norm = LayerNorm(scope / "layer_norm", width)
    }

    /// The tokens of two frames each: `[batch, 1, 2 · positions, bins] → [batch, positions, width]`.
    package func tokens(_ features: Tensor) -> Tensor {
        let frames = features.selected(axis: 1, at: 0).transposed(1, 2)  // [B, bins, T]
        let x = second(first(frames).gelu()).gelu().transposed(1, 2)  // [B, T / 2, C]
        return norm(encoder(x + positions.weight))
    }

    /// Unit vectors: `[batch, 1, 2 · positions, bins] → [batch, width]`.
    ///
    /// - Parameter lengths: frames that are no padding, int64 `[batch]`; nil takes the mean over all.
    package func embedAudio(_ features: Tensor, lengths: Tensor? = nil) -> Tensor {
        let tokens = tokens(features)
        guard let lengths else { return tokens.mean(axes: [1]).normalized() }
        // A token counts when its first frame does.
        let starts = Tensor.arange(0, Double(configuration.positions), dtype: .int64).to(features.device) * 2
        let counts = starts.less(than: lengths.unsqueezed(1)).to(tokens.dtype).unsqueezed(2)  // [B, T / 2, 1]
        return ((tokens * counts).sum(axes: [1]) / counts.sum(axes: [1])).normalized()
    }

    package var audioConfiguration: AudioTowerConfiguration { .whisper(configuration) }
    package var architecture: ModelFolder.Architecture? { .whisperEncoder(configuration) }
    package var embeddingWidth: Int { configuration.width }
}

extension WhisperEncoderConfiguration: ModelConfiguration {
    package func makeModel(store: ParameterStore) -> WhisperEncoder { WhisperEncoder(self, store: store) }
}
