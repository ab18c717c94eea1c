/// The decoder of CoCa: pairs of a causal block and a block that looks at the picture, then the language head.
///
/// It reads the token states of the text tower, whose vocabulary and context length are its own, too.
public struct CaptionDecoderConfiguration: Sendable, Hashable {
    public var width: Int
    public var intermediateWidth: Int
    /// Pairs of blocks.
    public var layers: Int
    public var heads: Int
    public var activation: Activation
    public var layerNormEpsilon: Double
    /// The first scale of each block's residual branches, learned per channel; nil has none.
    public var layerScale: Double?
    /// Whether the language head is the text tower's table of tokens, not a matrix of its own.
    public var tiesLanguageHead = false

    public init(
        width: Int = 512, intermediateWidth: Int = 2048, layers: Int = 12, heads: Int = 8,
        activation: Activation = .gelu, layerNormEpsilon: Double = 1e-5
    ) {
        self.width = width
        self.intermediateWidth = intermediateWidth
        self.layers = layers
        self.heads = heads
        self.activation = activation
        self.layerNormEpsilon = layerNormEpsilon
    }
}
