import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// Two towers whose outputs are compared by cosine: CLIP (Radford et al. 2021), SigLIP (Zhai et al. 2023) and their
/// relatives.
///
/// Parameter names are those of transformers' `CLIPModel`; a new model is initialized as in OpenAI's code.
public struct DualEncoder: ImageTextEncoder {
    public let configuration: DualEncoderConfiguration
    public let store: ParameterStore
    private(set) var vision: VisionTransformer
    package let text: TextTower
    private let visualProjection: Linear?
    private let textProjection: TextProjection
    /// The logarithm of the logit scale, `[]`.
    public let logitScale: Tensor
    /// The bias added to the scaled cosines, `[]`; nil adds nothing.
    public let logitBias: Tensor?

    /// Makes the towers from a store: drawn at random, or read from the store's checkpoints.
    public init(_ configuration: DualEncoderConfiguration, store: ParameterStore) {
        self.configuration = configuration
        self.store = store
        let scope = ParameterScope(store), width = configuration.projectionWidth
        logitScale = scope.parameter("logit_scale", [], .constant(configuration.initialLogitScale))
        logitBias = configuration.initialLogitBias.map { scope.parameter("logit_bias", [], .constant($0)) }
        text = TextTower(scope / Tower.text.root, configuration.text)
        vision = VisionTransformer(scope / Tower.image.root, configuration.vision)
        visualProjection =
            configuration.vision.hasProjection
            ? Linear(
                scope / Tower.image.projection, configuration.vision.width, width, hasBias: false,
                weightInitializer: .normal(standardDeviation: 1 / Double(configuration.vision.width).squareRoot()))
            : nil
        textProjection = TextProjection(scope / Tower.text.projection, configuration.text, width)
    }

    /// Unit vectors of normalized images: `[batch, 3, size, size] → [batch, projectionWidth]`.
    ///
    /// With pooling `none`, a unit vector of each token: `[batch, tokens, projectionWidth]`.
    public func embedImages(_ pixels: Tensor) -> Tensor {
        let pooled = vision(pixels)
        return (visualProjection.map { $0(pooled) } ?? pooled).normalized()
    }

    /// Unit vectors of token ids: `[batch, tokens] → [batch, projectionWidth]`.
    ///
    /// - Parameter lengths: the length of each row without its padding, int64 `[batch]`; nil when no row is padded.
    public func embedTexts(_ ids: Tensor, lengths: Tensor? = nil) -> Tensor {
        textProjection(text(ids, lengths: lengths)).normalized()
    }

    public var textConfiguration: TextTowerConfiguration { configuration.text }
    public var patchDropout: Double {
        get { vision.patchDropout }
        set { vision.patchDropout = newValue }
    }
    public var visionConfiguration: VisionTransformerConfiguration { configuration.vision }
    public var architecture: ModelFolder.Architecture? { .dualEncoder(configuration) }
    public var embeddingWidth: Int { configuration.projectionWidth }
}

extension DualEncoderConfiguration: ModelConfiguration {
    package func makeModel(store: ParameterStore) -> DualEncoder { DualEncoder(self, store: store) }
}
