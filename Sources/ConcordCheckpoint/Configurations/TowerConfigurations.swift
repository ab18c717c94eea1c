import ConcordCore

/// One of the two towers of a model of images and texts.
public enum Tower: String, Sendable, Hashable, CaseIterable {
    case image, text

    /// The first component of the names of the tower's parameters, except for the projection's.
    package var root: String { self == .image ? "vision_model" : "text_model" }

    /// The first component of the names of the parameters that project to the embedding.
    package var projection: String { self == .image ? "visual_projection" : "text_projection" }
}

/// The vision tower of CLIP or SigLIP: a vision transformer and the pooling of its tokens.
public struct VisionTransformerConfiguration: Sendable, Hashable {
    /// The pooling of an image's tokens into its vector.
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
    /// The image's side in pixels.
    public var imageSize: Int
    /// A patch's side in pixels.
    public var patchSize: Int
    public var channels: Int
    public var activation: Activation
    public var layerNormEpsilon: Double
    /// Whether a learned class token precedes the patches.
    public var hasClassToken = true
    /// Whether the patch embedding has a bias.
    public var hasPatchBias = false
    /// Whether a norm precedes the blocks.
    public var hasPreNorm = true
    /// Whether the position embedding is fixed sines and cosines, which do not train.
    public var hasFixedPositions = false
    /// Initial layer scale of each block's residual branches, learned per channel; nil for none.
    public var layerScale: Double?
    public var pooling = Pooling.classToken
    /// Whether the last norm applies to the pooled vector instead of every token.
    public var normalizesAfterPooling = false
    /// Whether a matrix without bias projects the pooled vector to the embedding; otherwise the widths are equal.
    public var hasProjection = true
    /// Learned queries that make a decoder's tokens and the image's vector from the patches; nil for none. The last
    /// norm then applies to their output.
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

    /// Width of an image's vector before the projection.
    package var pooledWidth: Int { queryPooling?.width ?? width }

    /// Patches of an image, without the class token.
    package var patchCount: Int { (imageSize / patchSize) * (imageSize / patchSize) }
}

/// The text tower of CLIP or SigLIP: a transformer over tokens and the position that represents the text.
public struct TextTransformerConfiguration: Sendable, Hashable {
    /// The position that represents a text.
    public enum Pooling: String, Sendable, Hashable, CaseIterable {
        case first
        /// The last position of the context, padding or not: the rows of a batch must fill the context.
        case last
        /// The position of the largest token id: right where the end token is the last of the vocabulary.
        case argmax
        /// The first position that holds the end token.
        case firstEndToken
    }

    /// The map from the pooled vector to the embedding.
    public enum Projection: String, Sendable, Hashable, CaseIterable {
        case none, linear, linearWithBias
    }

    /// The mask of a class token after the text, which represents the text (CoCa, Yu et al. 2022).
    ///
    /// The masks hide padding from every position. The class token has the position after the context.
    public enum ClassTokenMask: String, Sendable, Hashable, CaseIterable {
        /// The mask is one position late, so that the first padding is visible, and the class token does not see itself
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
    /// Whether a token sees only those before it (causal attention).
    public var isCausal = true
    /// Whether the lengths of rows hide padding from attention, as those of a fused model do.
    public var masksPadding = false
    /// Initial layer scale of each block's residual branches, learned per channel; nil for none.
    public var layerScale: Double?
    public var pooling: Pooling
    public var projection = Projection.linear
    /// The mask of the class token after the text; nil for no such token. With one, its vector is the pooled one.
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

    /// Whether padding changes a text's vector, so that every row must fill the context.
    package var readsPadding: Bool {
        !isCausal && !masksPadding || pooling == .last && classTokenMask == nil
    }

    /// The token that never comes in a caption; nil where rows are filled with the end token.
    package var captionPadToken: Int32? { padToken == endToken ? nil : Int32(padToken) }

    /// Rows of the position table.
    package var positions: Int { contextLength + (classTokenMask == nil ? 0 : 1) }
}

/// A text tower: CLIP's own transformer, or one of the BERT family.
public enum TextTowerConfiguration: Sendable, Hashable {
    case transformer(TextTransformerConfiguration)
    case bert(BERTConfiguration)

    package var vocabularySize: Int {
        switch self {
        case .transformer(let text): text.vocabularySize
        case .bert(let text): text.vocabularySize
        }
    }

    package var width: Int {
        switch self {
        case .transformer(let text): text.width
        case .bert(let text): text.width
        }
    }

    /// Tokens of the longest text, special tokens included.
    package var contextLength: Int {
        switch self {
        case .transformer(let text): text.contextLength
        case .bert(let text): text.contextLength
        }
    }

    /// Whether every row of a batch must fill the context, because the tower reads padding.
    package var readsPadding: Bool {
        switch self {
        case .transformer(let text): text.readsPadding
        case .bert: false
        }
    }

    /// Whether the pooled vector is projected to the embedding; otherwise the widths are equal.
    package var hasProjection: Bool {
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
    /// max(0, x).
    case relu

    /// The function that transformers calls by one of its many names; nil for another function.
    ///
    /// Names of one function differ in the last bits at most (`activations.py` of transformers 5.23).
    init?(transformersName name: String) {
        switch name {
        case "quick_gelu": self = .quickGELU
        case "relu": self = .relu
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
