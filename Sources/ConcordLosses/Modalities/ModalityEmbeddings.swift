import ConcordTensor

/// The embeddings of one modality in a batch, of which some may be missing.
public struct ModalityEmbeddings {
    /// What errors and weights call it, such as `image`.
    public let name: String
    /// A row for each sample of the batch, `[count, width]`; rows of missing samples may hold anything.
    public let embeddings: Tensor
    /// Which samples have this modality, bool `[count]`; nil when all have it.
    public let isPresent: Tensor?

    public init(_ name: String, _ embeddings: Tensor, isPresent: Tensor? = nil) {
        self.name = name
        self.embeddings = embeddings
        self.isPresent = isPresent
    }
}
