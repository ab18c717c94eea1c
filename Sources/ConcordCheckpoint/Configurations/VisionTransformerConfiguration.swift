/// The vision tower of CLIP or SigLIP: a vision transformer and how its tokens become one vector.
public struct VisionTransformerConfiguration: Sendable, Hashable {
    /// How the tokens of a picture become its vector.
    public enum Pooling: String, Sendable, Hashable, CaseIterable {
        /// The class token.
        case classToken
        /// The mean of the patches, without a class token.
        case average
        /// Not at all: each token is projected, `[batch, tokens, width]`.
        case none
        /// A learned query attends to the patches, then a residual perceptron (SigLIP's multi-head attention pooling).
        case attention
    }

    public var width: Int
    public var intermediateWidth: Int
    public var layers: Int
    public var heads: Int
    /// Pixels of the picture's side.
    public var imageSize: Int
    /// Pixels of a patch's side.
    public var patchSize: Int
    public var channels: Int
    public var activation: Activation
    public var layerNormEpsilon: Double
    /// Whether a learned token stands before the patches.
    public var hasClassToken = true
    /// Whether the patch embedding has a bias.
    public var hasPatchBias = false
    /// Whether a norm stands before the blocks.
    public var hasPreNorm = true
    /// Whether the position embedding is the fixed one of sines and cosines, which training leaves alone.
    public var hasFixedPositions = false
    /// The first scale of each block's residual branches, learned per channel; nil has none.
    public var layerScale: Double?
    public var pooling = Pooling.classToken
    /// Whether the last norm works on the pooled vector; otherwise on every token before.
    public var normalizesAfterPooling = false
    /// Whether a matrix without bias maps the pooled vector to the embedding; otherwise the widths are equal.
    public var hasProjection = true
    /// Learned queries that make a decoder's tokens, and the picture's vector, of the patches; nil has none. With them
    /// the last norm works on what they give.
    public var queryPooling: QueryPoolingConfiguration?

    public init(
        width: Int = 768, intermediateWidth: Int = 3072, layers: Int = 12, heads: Int = 12, imageSize: Int = 224,
        patchSize: Int = 32, channels: Int = 3, activation: Activation = .quickGELU, layerNormEpsilon: Double = 1e-5
    ) {
        self.width = width
        self.intermediateWidth = intermediateWidth
        self.layers = layers
        self.heads = heads
        self.imageSize = imageSize
        self.patchSize = patchSize
        self.channels = channels
        self.activation = activation
        self.layerNormEpsilon = layerNormEpsilon
    }

    /// Width of a picture's vector before the projection.
    public var pooledWidth: Int { queryPooling?.width ?? width }

    /// Patches of a picture, without the class token.
    public var patchCount: Int { (imageSize / patchSize) * (imageSize / patchSize) }
}
