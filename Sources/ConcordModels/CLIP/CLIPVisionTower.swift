import ConcordCheckpoint
import ConcordNN
import ConcordTensor

/// CLIP's vision transformer: normalised pictures `[batch, 3, size, size]` → `[batch, width]`.
///
/// Keys below `vision_model.`, with Hugging Face's spelling `pre_layrnorm`.
public struct CLIPVisionTower {
    private let patchEmbedding: Convolution2D
    private let classEmbedding: Tensor
    private let positionEmbedding: Embedding
    private let preNorm, postNorm: LayerNorm
    private let encoder: Transformer
    private let store: ParameterStore

    /// The share of patches left out of each picture while training (FLIP, Li et al. 2023); the class token stays.
    public var patchDropout = 0.0

    init(_ scope: ParameterScope, _ configuration: CLIPConfiguration.VisionConfiguration) {
        let embeddings = scope / "embeddings", width = configuration.width
        let scaled = Initializer.normal(standardDeviation: 1 / Double(width).squareRoot())
        patchEmbedding = Convolution2D(
            embeddings / "patch_embedding", configuration.channels, width, kernelSize: configuration.patchSize,
            stride: configuration.patchSize, hasBias: false)
        classEmbedding = embeddings.parameter("class_embedding", [width], scaled)
        positionEmbedding = Embedding(
            embeddings / "position_embedding", configuration.patchCount + 1, width, initializer: scaled)
        preNorm = LayerNorm(scope / "pre_layrnorm", width, epsilon: configuration.layerNormEpsilon)
        encoder = Transformer(
            scope / "encoder",
            TransformerShape(
                width: width, hidden: configuration.intermediateWidth, layers: configuration.layers,
                heads: configuration.heads, activation: configuration.activation,
                layerNormEpsilon: configuration.layerNormEpsilon, isCausal: false, initialization: .torchDefaults))
        postNorm = LayerNorm(scope / "post_layernorm", width, epsilon: configuration.layerNormEpsilon)
        store = scope.store
    }

    public func callAsFunction(_ pixels: Tensor) -> Tensor {
        let patches = patchEmbedding(pixels).flattened(from: 2).transposed(1, 2)  // [B, C, h, w] → [B, h·w, C]
        let batch = patches.shape[0], width = classEmbedding.shape[0]
        let positions = positionEmbedding.weight
        let classToken = (classEmbedding + positions.selected(axis: 0, at: 0)).expanded(to: [batch, 1, width])
        let placed = keepSome(patches + positions.sliced(axis: 0, from: 1))
        let tokens = Tensor.concatenated([classToken.to(placed.dtype), placed], axis: 1)  // [B, 1 + kept, C]
        let encoded = encoder(preNorm(tokens))
        return postNorm(encoded.selected(axis: 1, at: 0))
    }

    /// A random subset of each picture's patches, while training: `[batch, patches, width] → [batch, kept, width]`.
    private func keepSome(_ patches: Tensor) -> Tensor {
        guard store.isTraining, patchDropout > 0 else { return patches }
        let (batch, count, width) = (patches.shape[0], patches.shape[1], patches.shape[2])
        let kept = max(1, Int((Double(count) * (1 - patchDropout)).rounded()))
        let noise = Tensor.uniform([batch, count], generator: store.generator, device: patches.device)
        let chosen = noise.topK(kept, axis: 1).indices  // [B, kept]
        return patches.gathered(axis: 1, chosen.unsqueezed(2).expanded(to: [batch, kept, width]))
    }
}
