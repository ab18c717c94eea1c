import ConcordCore

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

/// A text tower: CLIP's own transformer, or one of the BERT family.
public enum TextTowerConfiguration: Sendable, Hashable {
    case transformer(TextTransformerConfiguration)
    case bert(BERTConfiguration)

    public var vocabularySize: Int {
        switch self {
        case .transformer(let text): text.vocabularySize
        case .bert(let text): text.vocabularySize
        }
    }

    public var width: Int {
        switch self {
        case .transformer(let text): text.width
        case .bert(let text): text.width
        }
    }

    /// Tokens of the longest text, special tokens included.
    public var contextLength: Int {
        switch self {
        case .transformer(let text): text.contextLength
        case .bert(let text): text.contextLength
        }
    }

    /// Whether every row of a batch must fill the context, because the tower reads padding.
    public var readsPadding: Bool {
        switch self {
        case .transformer(let text): text.readsPadding
        case .bert: false
        }
    }

    /// Whether something maps the pooled vector to the embedding; otherwise the widths are equal.
    public var hasProjection: Bool {
        switch self {
        case .transformer(let text): text.projection != .none
        case .bert(let text): text.projection != .none
        }
    }
}

/// The function between the two linear layers of a block. Weights trained with one lose accuracy with another.
///
/// The raw values are those of `hidden_act` in Hugging Face's configurations.
public enum Activation: String, Sendable, Hashable, CaseIterable {
    /// x·σ(1.702·x), OpenAI's approximation.
    case quickGELU = "quick_gelu"
    /// x·Φ(x), the exact form with the error function.
    case gelu
    /// The approximation of x·Φ(x) by tanh, which SigLIP uses.
    case tanhGELU = "gelu_pytorch_tanh"

    /// The function that transformers calls by one of its many names; nil for another function.
    ///
    /// Names of one function differ in the last bits at most (`activations.py` of transformers 5.23).
    init?(transformersName name: String) {
        switch name {
        case "quick_gelu": self = .quickGELU
        case "gelu", "gelu_python": self = .gelu
        case "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_new", "gelu_fast", "gelu_accurate": self = .tanhGELU
        default: return nil
        }
    }
}

extension JSONFields {
    /// An activation by transformers' name.
    func activation(_ name: String, default standard: Activation) throws(ConcordError) -> Activation {
        let text = try string(name, default: standard.rawValue)
        guard let activation = Activation(transformersName: text) else {
            let known = Activation.allCases.map(\.rawValue).joined(separator: ", ")
            throw failure(name, "is `\(text)`, which is not supported; known are: \(known)")
        }
        return activation
    }
}
