import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordModels
import ConcordTensor

extension ModalityCalibration {
    /// The means of a data set's images and captions.
    ///
    /// - Parameters:
    ///   - gallery: the data set's images, embedded by the model.
    ///   - split: whose images and captions count; nil for all.
    ///   - name: what the manifest calls the data set.
    /// - Throws: `.emptyBatch` for a split without images; as `EmbeddingModel.embed(texts:)`.
    public static func measure(
        _ model: EmbeddingModel, gallery: ImageGallery, split: String? = nil, name: String
    ) throws(ConcordError) -> ModalityCalibration {
        let rows = gallery.items.indices.filter { split == nil || gallery.items[$0].split == split }
        guard !rows.isEmpty else {
            throw ConcordError(
                .emptyBatch, "no image of \(name) is in the split \"\(split ?? "all")\"; name another, or none")
        }
        let images = gallery.vectors.indexSelected(axis: 0, Tensor(rows.map(Int64.init)))
        var means = [Modality.image: images.to(.float64).mean(axes: [0]).to(.float32).scalars(as: Float.self)]
        let captions = rows.flatMap { gallery.items[$0].captions.map(\.text) }
        if model.texts != nil, !captions.isEmpty {
            let texts = try model.embed(texts: captions).vectors
            means[.text] = texts.to(.float64).mean(axes: [0]).to(.float32).scalars(as: Float.self)
        }
        return ModalityCalibration(means: means, dataset: name)
    }

    /// Vectors of a modality less its mean, at unit length: `[…, width] → […, width]`.
    ///
    /// - Throws: `.invalidConfiguration` for a modality without a mean, or one of another width.
    public func callAsFunction(_ vectors: Tensor, of modality: Modality) throws(ConcordError) -> Tensor {
        guard let mean = means[modality], mean.count == vectors.shape.last else {
            throw ConcordError(
                .invalidConfiguration,
                "the model has no mean of \(modality) as wide as its vectors; measure it with `concord calibrate`")
        }
        return (vectors - Tensor(mean).to(vectors.dtype).to(vectors.device)).normalized()
    }
}
