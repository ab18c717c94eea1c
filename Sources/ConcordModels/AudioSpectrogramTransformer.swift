import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// AST (Gong et al. 2021): log-mel spectrograms → unit vectors, the mean of the class and the distillation token.
///
/// Follows `ASTModel` in `models/audio_spectrogram_transformer` of transformers 5.23.
package struct AudioSpectrogramTransformer: AudioEncoder {
    package let configuration: ASTConfiguration
    package let store: ParameterStore
    private let classToken, distillationToken, positions: Tensor
    private let patchEmbedding: Convolution2D
    private let encoder: Transformer
    private let norm: LayerNorm

    package init(_ configuration: ASTConfiguration, store: ParameterStore) {
        self.configuration = configuration
        self.store = store
        let scope = ParameterScope(store) / "audio_model", width = configuration.width
        let embeddings = scope / "embeddings", initializer = Initializer.normal(standardDeviation: 0.02)
        classToken = embeddings.parameter("cls_token", [1, 1, width], initializer)
        distillationToken = embeddings.parameter("distillation_token", [1, 1, width], initializer)
        positions = embeddings.parameter("position_embeddings", [1, configuration.patchCount + 2, width], initializer)
        patchEmbedding = Convolution2D(
            embeddings / "patch_embeddings" / "projection", 1, width,
            kernel: [configuration.patchSize, configuration.patchSize],
            stride: [configuration.binStride, configuration.frameStride], padding: [0, 0])
        encoder = Transformer(
            scope,
            TransformerConfiguration(
                width: width, intermediateWidth: configuration.intermediateWidth, layers: configuration.layers,
                heads: configuration.heads, activation: configuration.activation,
                layerNormEpsilon: configuration.layerNormEpsilon, isCausal: false,
                attentionBiases: configuration.hasAttentionBias ? .all : .outputOnly, initialization: .torchDefaults))
        norm = LayerNorm(scope / "layer_norm", width, epsilon: configuration.layerNormEpsilon)
    }

    /// Unit vectors: `[batch, 1, frames, bins] → [batch, width]`.
    ///
    /// - Parameter lengths: not needed: the model was trained with the padding.
    package func embedAudio(_ features: Tensor, lengths: Tensor? = nil) -> Tensor {
        let patches = patchEmbedding(features.transposed(2, 3))  // [B, 1, bins, T] → [B, C, h, w]
            .flattened(from: 2).transposed(1, 2)  // [B, h · w, C]
        let batch = features.size(0), width = configuration.width
        let leading = [classToken, distillationToken].map { $0.expanded(to: [batch, 1, width]).to(patches.dtype) }
        let tokens = Tensor.concatenated(leading + [patches], axis: 1) + positions
        // Operations on single tokens run on the first two only.
        return norm(encoder(tokens) { $0.sliced(axis: 1, from: 0, to: 2) }).mean(axes: [1]).normalized()
    }

    package var audioConfiguration: AudioTowerConfiguration { .ast(configuration) }
    package var architecture: ModelFolder.Architecture? { .ast(configuration) }
    package var embeddingWidth: Int { configuration.width }
}

extension ASTConfiguration: ModelConfiguration {
    package func makeModel(store: ParameterStore) -> AudioSpectrogramTransformer {
        AudioSpectrogramTransformer(self, store: store)
    }
}
