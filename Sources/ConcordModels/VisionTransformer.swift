import ConcordCheckpoint
import ConcordNN
import ConcordTensor

/// A vision transformer (Dosovitskiy et al. 2021): normalized images `[batch, 3, size, size]` → `[batch, width]`.
///
/// The image tower of CLIP, SigLIP and CoCa. With pooling `none` the result is `[batch, tokens, width]`; with pooling
/// by queries, vectors are as wide as these. Keys start with `vision_model.`, with transformers' spelling
/// `pre_layrnorm`.
package struct VisionTransformer {
    package let configuration: VisionTransformerConfiguration
    private let patchEmbedding: Convolution2D
    private let classEmbedding: Tensor?
    private let positionEmbedding: Embedding
    private let preNorm: LayerNorm?
    package let encoder: Transformer
    private let postNorm: LayerNorm
    private let attentionPooling: MAPHead?
    private let poolers: Poolers?
    private let store: ParameterStore
    private let random: RowwiseRandom

    /// The share of patches left out of each image while training (FLIP, Li et al. 2023); a class token stays.
    package var patchDropout = 0.0

    init(_ scope: ParameterScope, _ configuration: VisionTransformerConfiguration) {
        let embeddings = scope / "embeddings", width = configuration.width
        let epsilon = configuration.layerNormEpsilon
        let scaled = Initializer.normal(standardDeviation: 1 / Double(width).squareRoot())
        patchEmbedding = Convolution2D(
            embeddings / "patch_embedding", configuration.channels, width, kernelSize: configuration.patchSize,
            stride: configuration.patchSize, hasBias: configuration.hasPatchBias)
        classEmbedding = configuration.hasClassToken ? embeddings.parameter("class_embedding", [width], scaled) : nil
        let fixed = configuration.hasClassToken ? 1 : 0, side = configuration.imageSize / configuration.patchSize
        let sines = Initializer.values { SinusoidalPositions.grid(side: side, width: width, leading: fixed) }
        positionEmbedding = Embedding(
            embeddings / "position_embedding", configuration.patchCount + fixed, width,
            initializer: configuration.hasFixedPositions ? sines : scaled, isTrained: !configuration.hasFixedPositions
        ) { PositionResizing.grid($0, fixed: fixed, side: side) }
        preNorm = configuration.hasPreNorm ? LayerNorm(scope / "pre_layrnorm", width, epsilon: epsilon) : nil
        encoder = Transformer(
            scope / "encoder",
            TransformerConfiguration(
                width: width, intermediateWidth: configuration.intermediateWidth, layers: configuration.layers,
                heads: configuration.heads, activation: configuration.activation, layerNormEpsilon: epsilon,
                isCausal: false, layerScale: configuration.layerScale, initialization: .torchDefaults))
        poolers = configuration.queryPooling.map { Poolers(scope, $0, inputWidth: width, epsilon: epsilon) }
        // The poolers own it if it follows them.
        postNorm = poolers?.norm ?? LayerNorm(scope / "post_layernorm", width, epsilon: epsilon)
        attentionPooling =
            configuration.pooling == .attention
            ? MAPHead(
                scope / "head", width: width, intermediateWidth: configuration.intermediateWidth,
                heads: configuration.heads,
                activation: configuration.activation, layerNormEpsilon: epsilon) : nil
        store = scope.store
        random = RowwiseRandom(scope / "patch_dropout")
        self.configuration = configuration
    }

    package func callAsFunction(_ pixels: Tensor) -> Tensor {
        guard poolers == nil else { return withTokens(pixels).pooled }
        guard configuration.pooling == .classToken else { return pooled(encoder(embedded(pixels))) }
        // Operations on single tokens run on the class token only.
        let token = encoder(embedded(pixels)) { $0.sliced(axis: 1, from: 0, to: 1) }  // [B, T, C] → [B, 1, C]
        return postNorm(token.selected(axis: 1, at: 0))
    }

    /// All tokens before the blocks: `[batch, 1 + kept, width]` with a class token.
    func embedded(_ pixels: Tensor) -> Tensor {
        let patches = patchEmbedding(pixels).flattened(from: 2).transposed(1, 2)  // [B, C, h, w] → [B, h·w, C]
        let tokens = placed(patches)  // [B, 1 + kept, C] with a class token
        return preNorm.map { $0(tokens) } ?? tokens
    }

    /// Patches with their positions, after the class token.
    private func placed(_ patches: Tensor) -> Tensor {
        let positions = positionEmbedding.weight
        guard let classEmbedding else { return keepSome(patches + positions) }
        let classToken = (classEmbedding + positions.selected(axis: 0, at: 0))
            .expanded(to: [patches.shape[0], 1, classEmbedding.shape[0]])
        let placed = keepSome(patches + positions.sliced(axis: 0, from: 1))
        return Tensor.concatenated([classToken.to(placed.dtype), placed], axis: 1)
    }

    /// The tokens' vector, `[batch, tokens, width] → [batch, width]`.
    func pooled(_ tokens: Tensor) -> Tensor {
        switch configuration.pooling {
        case .classToken: return postNorm(tokens.selected(axis: 1, at: 0))
        case .none: return postNorm(tokens)
        case .average:
            let normed = configuration.normalizesAfterPooling ? tokens : postNorm(tokens)
            let mean = normed.sliced(axis: 1, from: configuration.hasClassToken ? 1 : 0).mean(axes: [1])
            return configuration.normalizesAfterPooling ? postNorm(mean) : mean
        case .attention:
            let normed = postNorm(tokens)
            return attentionPooling.map { $0(normed) } ?? normed
        }
    }

    /// A random subset of each image's patches, while training: `[batch, patches, width] → [batch, kept, width]`.
    private func keepSome(_ patches: Tensor) -> Tensor {
        guard store.isTraining, patchDropout > 0 else { return patches }
        let (batch, count, width) = (patches.shape[0], patches.shape[1], patches.shape[2])
        let kept = max(1, Int((Double(count) * (1 - patchDropout)).rounded()))
        let noise = random.uniform(rows: batch, count, device: patches.device)
        let chosen = noise.topK(kept, axis: 1).indices  // [B, kept]
        return patches.gathered(axis: 1, chosen.unsqueezed(2).expanded(to: [batch, kept, width]))
    }

    // MARK: - CoCa: tokens for a decoder, and pooling by queries

    /// An image's vector `[batch, pooledWidth]` and its tokens for a decoder `[batch, tokens, pooledWidth]`: what
    /// queries make of the patches or, without queries, the patches themselves.
    package func withTokens(_ pixels: Tensor) -> (pooled: Tensor, tokens: Tensor) {
        // All tokens after the blocks, before any norm.
        let x = encoder(embedded(pixels))
        if let poolers { return poolers(x, takesMean: configuration.pooling == .average) }
        let normed = configuration.normalizesAfterPooling ? x : postNorm(x)
        let patches = normed.sliced(axis: 1, from: configuration.hasClassToken ? 1 : 0)
        return (pooled(x), patches)
    }

    /// CoCa's attentional poolers: one, or two.
    private struct Poolers {
        let layout: QueryPoolingConfiguration.Layout
        let tokens: AttentionalPooler
        let norm: LayerNorm
        let vector: AttentionalPooler?
        let vectorNorm: LayerNorm?

        init(_ scope: ParameterScope, _ configuration: QueryPoolingConfiguration, inputWidth: Int, epsilon: Double) {
            let width = configuration.width, heads = configuration.heads
            layout = configuration.layout
            tokens = AttentionalPooler(
                scope / "attention_pool", queries: configuration.queries, inputWidth: inputWidth, width: width,
                heads: heads)
            norm = LayerNorm(scope / "post_layernorm", width, epsilon: epsilon)
            guard layout != .joint else {
                (vector, vectorNorm) = (nil, nil)
                return
            }
            vector = AttentionalPooler(
                scope / "contrastive_pool", queries: 1, inputWidth: layout == .cascade ? width : inputWidth,
                width: width, heads: heads)
            vectorNorm = LayerNorm(scope / "contrastive_layernorm", width, epsilon: epsilon)
        }

        /// - Parameter takesMean: whether the vector is the mean of the tokens, not the first query's.
        func callAsFunction(_ x: Tensor, takesMean: Bool) -> (pooled: Tensor, tokens: Tensor) {
            let pooled = norm(tokens(x))  // [B, Q, C]
            guard let vector, let vectorNorm else {
                let rest = pooled.sliced(axis: 1, from: 1)
                return (takesMean ? rest.mean(axes: [1]) : pooled.selected(axis: 1, at: 0), rest)
            }
            let own = vector(layout == .cascade ? pooled : x)  // [B, 1, C]
            return (vectorNorm(own).selected(axis: 1, at: 0), pooled)
        }
    }
}
