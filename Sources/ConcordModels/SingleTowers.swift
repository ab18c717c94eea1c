import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// The text tower of a CLIP or SigLIP alone: token ids → unit vectors.
///
/// Follows `CLIPTextModel`, `CLIPTextModelWithProjection` and `SiglipTextModel` of transformers 5.23; parameter names
/// are those of `CLIPModel`.
package struct SingleTextTower: TextEncoder {
    package let configuration: TextTransformerConfiguration
    package let embeddingWidth: Int
    package let store: ParameterStore
    private let text: TextTransformer
    private let projection: TextProjection

    /// - Parameter width: the width of the vectors; that of the tower without a projection.
    package init(_ configuration: TextTransformerConfiguration, width: Int, store: ParameterStore) {
        self.configuration = configuration
        self.store = store
        embeddingWidth = width
        let scope = ParameterScope(store)
        text = TextTransformer(scope / Tower.text.root, configuration)
        projection = TextProjection(scope / Tower.text.projection, .transformer(configuration), width)
    }

    /// Unit vectors of token ids: `[batch, tokens] → [batch, embeddingWidth]`.
    ///
    /// - Parameter lengths: not needed: padding does not count, or fills the context.
    package func embedTexts(_ ids: Tensor, lengths: Tensor? = nil) -> Tensor { projection(text(ids)).normalized() }

    package var architecture: ModelFolder.Architecture? { .textTower(configuration, width: embeddingWidth) }
    package var textConfiguration: TextTowerConfiguration { .transformer(configuration) }
}

/// The image tower of a CLIP or SigLIP alone: normalized images → unit vectors.
///
/// Follows `CLIPVisionModel`, `CLIPVisionModelWithProjection` and `SiglipVisionModel` of transformers 5.23; parameter
/// names are those of `CLIPModel`.
package struct SingleImageTower: ImageEncoder {
    package let embeddingWidth: Int
    package let store: ParameterStore
    private(set) var vision: VisionTransformer
    private let projection: Linear?

    /// - Parameter width: the width of the vectors; that of the tower without a projection.
    package init(_ configuration: VisionTransformerConfiguration, width: Int, store: ParameterStore) {
        self.store = store
        embeddingWidth = width
        let scope = ParameterScope(store)
        vision = VisionTransformer(scope / Tower.image.root, configuration)
        projection =
            configuration.hasProjection
            ? Linear(
                scope / Tower.image.projection, configuration.width, width, hasBias: false,
                weightInitializer: .normal(standardDeviation: 1 / Double(configuration.width).squareRoot()))
            : nil
    }

    /// Unit vectors of normalized images: `[batch, 3, size, size] → [batch, embeddingWidth]`.
    package func embedImages(_ pixels: Tensor) -> Tensor {
        let pooled = vision(pixels)
        return (projection.map { $0(pooled) } ?? pooled).normalized()
    }

    package var architecture: ModelFolder.Architecture? { .imageTower(vision.configuration, width: embeddingWidth) }
    package var patchDropout: Double {
        get { vision.patchDropout }
        set { vision.patchDropout = newValue }
    }
    package var visionConfiguration: VisionTransformerConfiguration { vision.configuration }
}

extension SingleTextTowerConfiguration: ModelConfiguration {
    package func makeModel(store: ParameterStore) -> SingleTextTower {
        SingleTextTower(text, width: width, store: store)
    }
}

extension SingleImageTowerConfiguration: ModelConfiguration {
    package func makeModel(store: ParameterStore) -> SingleImageTower {
        SingleImageTower(vision, width: width, store: store)
    }
}
