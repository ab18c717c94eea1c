import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

// A fused model of pictures and texts as a model of two towers: the vectors of rows that have one of them alone.

extension FusedModel {
    public var embeddingWidth: Int { configuration.projectionWidth }
    /// Nil for a model without pictures or without texts, which folders cannot hold.
    public var architecture: ModelFolder.Architecture? {
        configuration.textTower == nil || configuration.imageTower == nil ? nil : .fused(configuration)
    }
    public var logitBias: Tensor? { nil }

    public var textConfiguration: TextTowerConfiguration {
        guard let tower = configuration.textTower else { preconditionFailure("the fused model reads no texts") }
        return tower
    }

    public var visionConfiguration: VisionTransformerConfiguration {
        guard let tower = configuration.imageTower else { preconditionFailure("the fused model reads no images") }
        return tower
    }

    public func embedTexts(_ ids: Tensor, lengths: Tensor?) -> Tensor { embed(.text, ids, lengths: lengths) }

    public func embedImages(_ pixels: Tensor) -> Tensor { embed(.image, pixels, lengths: nil) }

    /// Unit vectors of the values of one modality, `[rows, …] → [rows, width]`.
    ///
    /// - Parameter lengths: how much of each value is no padding, int64 `[rows]`; nil when all is.
    public func embed(_ modality: Modality, _ values: Tensor, lengths: Tensor?) -> Tensor {
        let input = EncoderInput(values: values.unsqueezed(1), lengths: lengths?.unsqueezed(1))
        return encode([modality: input], values.size(0)).vector.selected(axis: 1, at: 0)
    }
}

extension FusedModelConfiguration: ModelConfiguration {
    package func makeModel(store: ParameterStore) -> FusedModel { FusedModel(checked: self, store: store) }
}
