import ConcordCheckpoint
import ConcordCore
import ConcordTensor

/// Tensors to and from safetensors files.
public enum TensorFile {
    /// Writes named tensors to one file, atomically; a tensor on another device is copied to the host first.
    public static func write(_ tensors: [(String, Tensor)], to path: String) throws {
        try SafetensorsWriter.write(
            to: path,
            tensors: tensors.map { name, tensor in
                SafetensorsTensor(name, tensor.dtype, tensor.shape) { write in
                    try withoutGradient { try tensor.detached().withUnsafeBytes(write) }
                }
            })
    }

    /// The tensors of a file by name.
    ///
    /// - Parameter isWanted: says by the name which ones are read.
    public static func read(
        _ path: String, where isWanted: (String) -> Bool = { _ in true }
    ) throws -> [String: Tensor] {
        let file = try SafetensorsFile(path: path)
        var tensors = [String: Tensor]()
        for entry in file.entries where isWanted(entry.name) {
            tensors[entry.name] = try file.withUnsafeBytes(of: entry) {
                Tensor(copying: $0, shape: entry.shape, dtype: entry.dtype)
            }
        }
        return tensors
    }
}
