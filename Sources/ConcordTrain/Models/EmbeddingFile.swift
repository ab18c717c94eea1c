import ConcordCore
import ConcordNN
import ConcordTensor

/// Writes embeddings to a file whose ending chooses the form.
public enum EmbeddingFile {
    public enum Format: String, Sendable {
        case safetensors, npy, jsonl

        public init?(path: String) {
            guard let dot = path.lastIndex(of: "."),
                let format = Format(rawValue: String(path[path.index(after: dot)...]))
            else { return nil }
            self = format
        }
    }

    /// Writes `[rows, width]` float32 vectors, atomically: tensor `embeddings`, a NumPy array, or a JSON list a line.
    ///
    /// - Throws: `.fileSystem`, or `.invalidConfiguration` for an unknown ending.
    public static func write(_ vectors: Tensor, to path: String) throws {
        switch Format(path: path) {
        case .safetensors: try TensorFile.write([("embeddings", vectors)], to: path)
        case .npy:
            try vectors.withUnsafeBytes {
                try NumPyFile.write($0, dtype: .float32, shape: vectors.shape, to: path)
            }
        case .jsonl: try writeLines(vectors, to: path)
        case nil:
            throw ConcordError(.invalidConfiguration, "\(path): the ending must be .safetensors, .npy or .jsonl")
        }
    }

    private static func writeLines(_ vectors: Tensor, to path: String) throws {
        let width = vectors.shape[1], values = vectors.scalars(as: Float.self)
        try Files.replace(path) { file in
            for start in stride(from: 0, to: values.count, by: max(1, width)) {
                let row = values[start..<start + width].map { JSONValue.number(Double($0)) }
                try file.write(Array((JSONValue.array(row).text() + "\n").utf8))
            }
        }
    }
}
