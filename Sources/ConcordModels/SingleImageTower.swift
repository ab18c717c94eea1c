import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// The image tower of a CLIP or SigLIP alone: normalised pictures → unit vectors.
///
/// Follows `CLIPVisionModel`, `CLIPVisionModelWithProjection` and `SiglipVisionModel` of transformers 5.23; parameter
/// names are those of `CLIPModel`.
public struct SingleImageTower: ImageEncoder {
    public let embeddingWidth: Int
    public let store: ParameterStore
    public var vision: VisionTransformer
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

    /// Reads the weights of a model folder.
    ///
    /// - Parameter dtype: nil keeps the checkpoint's.
    /// - Throws: `.invalidConfiguration` or `.invalidCheckpoint`, the latter naming every key that does not fit.
    public static func load(
        _ folder: String, dtype: DType? = .float32, device: Device = .cpu
    ) throws -> SingleImageTower {
        let folder = try ModelFolder(folder)
        guard case .imageTower(let configuration, let width) = folder.architecture else {
            throw ConcordError(
                .invalidConfiguration, "\(folder.path) does not hold the image tower of a CLIP or SigLIP alone")
        }
        let model = SingleImageTower(
            configuration, width: width, store: try folder.makeStore(dtype: dtype, device: device))
        try model.store.finishLoading()
        return model
    }

    /// Unit vectors of normalised pictures: `[batch, 3, size, size] → [batch, embeddingWidth]`.
    public func embedImages(_ pixels: Tensor) -> Tensor {
        let pooled = vision(pixels)
        return (projection.map { $0(pooled) } ?? pooled).normalized()
    }

    public var visionConfiguration: VisionTransformerConfiguration { vision.configuration }
}
