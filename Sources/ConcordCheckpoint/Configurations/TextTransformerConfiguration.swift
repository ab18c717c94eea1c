/// The text tower of CLIP or SigLIP: a transformer over tokens and the position that stands for the whole.
public struct TextTransformerConfiguration: Sendable, Hashable {
    /// Which position of a text stands for the whole.
    public enum Pooling: String, Sendable, Hashable, CaseIterable {
        case first
        /// The last position of the context, padding or not: the rows of a batch must fill the context.
        case last
        /// The position of the largest token id: right where the end token is the last of the vocabulary.
        case argmax
        /// The first position that holds the end token.
        case firstEndToken
    }

    /// What maps the pooled vector to the embedding.
    public enum Projection: String, Sendable, Hashable, CaseIterable {
        case none, linear, linearWithBias
    }

    /// What a class token behind the text, which stands for the whole, sees of it (CoCa, Yu et al. 2022).
    ///
    /// The masks close padding to every position. The class token takes the position behind the context.
    public enum ClassTokenMask: String, Sendable, Hashable, CaseIterable {
        /// The mask is one position late, so that the first padding is open, and the class token does not see itself
        /// unless the text fills the context: open_clip up to 3.3, with which all its published weights were trained.
        case legacy
        /// The text and the class token itself.
        case correct
    }

    public var vocabularySize: Int
    public var width: Int
    public var intermediateWidth: Int
    public var layers: Int
    public var heads: Int
    /// Tokens of the longest text, start and end token included.
    public var contextLength: Int
    public var activation: Activation
    public var layerNormEpsilon: Double
    public var padToken: Int
    public var startToken: Int
    public var endToken: Int
    /// Whether a token sees only those before it.
    public var isCausal = true
    /// The first scale of each block's residual branches, learned per channel; nil has none.
    public var layerScale: Double?
    public var pooling: Pooling
    public var projection = Projection.linear
    /// What the class token behind the text sees; nil has no such token. With one, pooling is its vector.
    public var classTokenMask: ClassTokenMask?

    public init(
        vocabularySize: Int = 49408, width: Int = 512, intermediateWidth: Int = 2048, layers: Int = 12, heads: Int = 8,
        contextLength: Int = 77, activation: Activation = .quickGELU, layerNormEpsilon: Double = 1e-5,
        padToken: Int = 1, startToken: Int = 49406, endToken: Int = 49407, pooling: Pooling = .firstEndToken
    ) {
        self.vocabularySize = vocabularySize
        self.width = width
        self.intermediateWidth = intermediateWidth
        self.layers = layers
        self.heads = heads
        self.contextLength = contextLength
        self.activation = activation
        self.layerNormEpsilon = layerNormEpsilon
        self.padToken = padToken
        self.startToken = startToken
        self.endToken = endToken
        self.pooling = pooling
    }

    /// Whether what stands behind the end of a text changes its vector, so that every row must fill the context.
    public var readsPadding: Bool { !isCausal || pooling == .last && classTokenMask == nil }

    /// Rows of the position table.
    public var positions: Int { contextLength + (classTokenMask == nil ? 0 : 1) }
}
