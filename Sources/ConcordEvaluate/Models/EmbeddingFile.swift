import ConcordCheckpoint
import ConcordCore
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

        /// The form of a file. Throws `.invalidConfiguration` for an unknown ending.
        init(of path: String) throws(ConcordError) {
            guard let format = Format(path: path) else {
                throw ConcordError(.invalidConfiguration, "\(path): the ending must be .safetensors, .npy or .jsonl")
            }
            self = format
        }

        /// The bytes before the rows of `[rows, width]` float32 vectors.
        func header(rows: Int, width: Int, path: String) throws(ConcordError) -> [UInt8] {
            switch self {
            case .safetensors: try SafetensorsWriter.header("embeddings", .float32, [rows, width], path: path)
            case .npy: try NumPyFile.header(dtype: .float32, shape: [rows, width], path: path)
            case .jsonl: []
            }
        }

        /// The bytes of some rows `[rows, width]`.
        ///
        /// - Parameter missing: rows without a vector: `null` in JSON, and what they hold, NaN, in the others.
        func bytes(of vectors: Tensor, missing: Set<Int> = []) -> [UInt8] {
            guard self == .jsonl else { return vectors.to(.float32).withUnsafeBytes { Array($0) } }
            let width = vectors.shape[1], values = vectors.scalars(as: Float.self)
            return (0..<vectors.shape[0]).flatMap { row in
                let list = values[row * width..<(row + 1) * width].map { JSONValue.number(Double($0)) }
                return Array(((missing.contains(row) ? JSONValue.null : .array(list)).text() + "\n").utf8)
            }
        }
    }

    /// Writes `[rows, width]` float32 vectors, atomically: tensor `embeddings`, a NumPy array, or a JSON list a line.
    ///
    /// - Throws: `.fileSystem`, or `.invalidConfiguration` for an unknown ending.
    public static func write(_ vectors: Tensor, to path: String) throws {
        let format = try Format(of: path)
        let header = try format.header(rows: vectors.shape[0], width: vectors.shape[1], path: path)
        try Files.replace(path) { file in
            try file.write(header)
            try file.write(format.bytes(of: vectors))
        }
    }
}
