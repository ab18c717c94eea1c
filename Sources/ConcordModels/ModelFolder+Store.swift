import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

extension ModelFolder {
    /// A store that reads the parameters of the folder's weights.
    func makeStore(dtype: DType?, device: Device) throws -> ParameterStore {
        let source = ParameterSource(try CheckpointReader(path: weights), layout: layout)
        return ParameterStore(sources: [source], dtype: dtype, device: device)
    }
}
