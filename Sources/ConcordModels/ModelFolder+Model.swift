import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// The configuration of a model that is computed here. The conformance stands in the file of the model.
package protocol ModelConfiguration: ArchitectureConfiguration {
    associatedtype Model: EmbeddingEncoder

    /// Makes the model, its parameters drawn or read by the store.
    func makeModel(store: ParameterStore) -> Model
}

extension ModelFolder.Architecture {
    /// Makes the model of this architecture, its parameters drawn or read by the store.
    public func makeModel(store: ParameterStore) -> any EmbeddingEncoder { model.makeModel(store: store) }

    /// The type of the model of this architecture.
    var modelType: any EmbeddingEncoder.Type {
        func modelType<Configuration: ModelConfiguration>(of _: Configuration) -> any EmbeddingEncoder.Type {
            Configuration.Model.self
        }
        return modelType(of: model)
    }

    private var model: any ModelConfiguration {
        guard let model = configuration as? any ModelConfiguration else {
            preconditionFailure("\(type(of: configuration)) does not conform to ModelConfiguration")
        }
        return model
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
