/// A text tower of the BERT family (Devlin et al. 2019) and how its tokens become one vector.
public struct BERTConfiguration: Sendable, Hashable {
    /// The members of the family, which differ in tokenizer and in where positions begin.
    public enum Family: String, Sendable, Hashable, CaseIterable {
        case bert, roberta
        case xlmRoberta = "xlm-roberta"
    }

    /// How the tokens of a text become its vector; padding never counts.
    public enum Pooling: String, Sendable, Hashable, CaseIterable {
        /// The mean of all tokens, special ones included.
        case mean
        /// The first token.
        case cls
        /// The first token through a dense layer with tanh, the model's own pooler.
        case pooler
        /// The largest value of each channel.
        case max
    }

    /// What maps the pooled vector to the embedding.
    public enum Projection: String, Sendable, Hashable, CaseIterable {
        case none
        /// A matrix without bias.
        case linear
        /// Two matrices without biases around a GELU, the inner width the mean of both outer ones (open_clip's `mlp`).
        case perceptron
    }

    public var family: Family
    public var vocabularySize: Int
    public var width: Int
    public var intermediateWidth: Int
    public var layers: Int
    public var heads: Int
    /// Rows of the position table.
    public var positions: Int
    public var tokenTypes: Int
    public var activation: Activation
    public var layerNormEpsilon: Double
    public var padToken: Int
    /// Whether the checkpoint has the dense layer of `pooler`, used or not.
    public var hasPooler = true
    public var pooling = Pooling.mean
    public var projection = Projection.none
    /// Tokens of the longest text, special tokens included.
    public var contextLength: Int

    public init(
        family: Family = .bert, vocabularySize: Int = 30522, width: Int = 768, intermediateWidth: Int = 3072,
        layers: Int = 12, heads: Int = 12, positions: Int = 512, tokenTypes: Int = 2, activation: Activation = .gelu,
        layerNormEpsilon: Double = 1e-12, padToken: Int = 0
    ) {
        self.family = family
        self.vocabularySize = vocabularySize
        self.width = width
        self.intermediateWidth = intermediateWidth
        self.layers = layers
        self.heads = heads
        self.positions = positions
        self.tokenTypes = tokenTypes
        self.activation = activation
        self.layerNormEpsilon = layerNormEpsilon
        self.padToken = padToken
        contextLength = positions - (family == .bert ? 0 : padToken + 1)
    }

    /// The row of the position table that the first token takes: RoBERTa's follow the padding's.
    public var firstPosition: Int { family == .bert ? 0 : padToken + 1 }
}
