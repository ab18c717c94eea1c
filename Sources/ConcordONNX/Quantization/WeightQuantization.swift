import ConcordCore
import ConcordRuntime

/// Weights in 8 bits, activations in float32: needs no samples, and is about four times smaller.
///
/// Products become ONNX Runtime's `MatMulNBits`: each block of a weight's column has a scale, and activations are
/// rounded block by block while it runs, each row by itself. Tables have a scale for each row. Convolutions stay as
/// they are.
public struct WeightQuantization: Hashable, Sendable {
    /// Elements with one scale: 16, 32, 64, 128 or 256. Smaller blocks are more exact, larger, and slower.
    public var blockSize = 128
    /// Weights with fewer elements stay as they are.
    public var minimumElementCount = 4096

    public init() {}

    /// The size for a weight with `rows` inputs: the largest up to `limit` that leaves no block unfilled; at least 32,
    /// or what is needed for all rows.
    static func blockSize(rows: Int, limit: Int) -> Int {
        var size = limit
        while size > 32, rows % size != 0 { size /= 2 }
        while size > 16, size / 2 >= rows { size /= 2 }
        return size
    }

    func validate() throws(ConcordError) {
        guard [16, 32, 64, 128, 256].contains(blockSize) else {
            throw ConcordError(.invalidArgument, "a block has 16, 32, 64, 128 or 256 elements, got \(blockSize)")
        }
    }
}
