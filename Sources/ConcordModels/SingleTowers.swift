import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// The text tower of a CLIP or SigLIP alone: token ids → unit vectors.
///
/// Follows `CLIPTextModel`, `CLIPTextModelWithProjection` and `SiglipTextModel` of transformers 5.23; parameter names
/// are those of `CLIPModel`.
public struct SingleTextTower: TextEncoder {
    public let configuration: TextTransformerConfiguration
    public let embeddingWidth: Int
    public let store: ParameterStore
    private let text: TextTransformer
    private let projection: TextProjection

    /// - Parameter width: of the vectors; that of the tower where nothing projects them.
    public init(_ configuration: TextTransformerConfiguration, width: Int, store: ParameterStore) {
        self.configuration = configuration
        self.store = store
        embeddingWidth = width
        let scope = ParameterScope(store)
        text = TextTransformer(scope / "text_model", configuration)
        projection = TextProjection(scope / "text_projection", .transformer(configuration), width)
    }

    /// Unit vectors of token ids: `[batch, tokens] → [batch, embeddingWidth]`.
    ///
    /// - Parameter lengths: not needed: what stands behind the end of a text does not count, or fills the context.
    public func embedTexts(_ ids: Tensor, lengths: Tensor? = nil) -> Tensor { projection(text(ids)).normalized() }

    public var architecture: ModelFolder.Architecture? { .textTower(configuration, width: embeddingWidth) }
    public var textConfiguration: TextTowerConfiguration { .transformer(configuration) }
}

/// The image tower of a CLIP or SigLIP alone: normalised pictures → unit vectors.
///
/// Follows `CLIPVisionModel`, `CLIPVisionModelWithProjection` and `SiglipVisionModel` of transformers 5.23; parameter
/// names are those of `CLIPModel`.
public struct SingleImageTower: ImageEncoder {
    public let embeddingWidth: Int
    public let store: ParameterStore
    private(set) var vision: VisionTransformer
    private let projection: Linear?

    /// - Parameter width: of the vectors; that of the tower where nothing projects them.
    public init(_ configuration: VisionTransformerConfiguration, width: Int, store: ParameterStore) {
        self.store = store
        embeddingWidth = width
        let scope = ParameterScope(store)
        vision = VisionTransformer(scope / "vision_model", configuration)
        projection =
            configuration.hasProjection
            ? Linear(
                scope / "visual_projection", configuration.width, width, hasBias: false,
                weightInitializer: .normal(standardDeviation: 1 / Double(configuration.width).squareRoot()))
            : nil
    }

    /// Unit vectors of normalised pictures: `[batch, 3, size, size] → [batch, embeddingWidth]`.
    public func embedImages(_ pixels: Tensor) -> Tensor {
        let pooled = vision(pixels)
        return (projection.map { $0(pooled) } ?? pooled).normalized()
    }

    public var architecture: ModelFolder.Architecture? { .imageTower(vision.configuration, width: embeddingWidth) }
    public var patchDropout: Double {
        get { vision.patchDropout }
        set { vision.patchDropout = newValue }
    }
    public var visionConfiguration: VisionTransformerConfiguration { vision.configuration }
}
