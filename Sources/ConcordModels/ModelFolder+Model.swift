import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

extension ModelFolder.Architecture {
    /// Makes the model of this architecture, its parameters drawn or read by the store.
    ///
    /// The only place that knows which type computes which architecture: a new one adds a line here.
    public func makeModel(store: ParameterStore) -> any EmbeddingEncoder {
        switch self {
        case .dualEncoder(let configuration): DualEncoder(configuration, store: store)
        case .coca(let configuration): CoCa(configuration, store: store)
        case .sentenceEncoder(let configuration): SentenceEncoder(configuration, store: store)
        case .textTower(let configuration, let width): SingleTextTower(configuration, width: width, store: store)
        case .imageTower(let configuration, let width): SingleImageTower(configuration, width: width, store: store)
        }
    }
}

extension ModelFolder {
    /// Reads the folder's model, whichever it is.
    ///
    /// - Parameter dtype: of the parameters; nil keeps the checkpoint's.
    /// - Throws: `.invalidCheckpoint` naming every key that does not fit, `.fileSystem` for a file that cannot be read.
    public func loadModel(dtype: DType? = .float32, device: Device = .cpu) throws -> any EmbeddingEncoder {
        let source = ParameterSource(try CheckpointReader(path: weights), layout: layout)
        let model = architecture.makeModel(store: ParameterStore(sources: [source], dtype: dtype, device: device))
        try model.store.finishLoading()
        return model
    }
}
