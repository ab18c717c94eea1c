import ConcordCore
import ConcordMedia

/// A batch of pictures, decoded and preprocessed.
struct DecodedBatch: Sendable {
    /// `[rows, 3, size, size]`.
    private(set) var pixels: [Float] = []
    /// Which of the pictures could be decoded.
    private(set) var rows: [Int] = []
    private(set) var failures: [(row: Int, error: ConcordError)] = []

    /// No pictures.
    init() {}

    init(_ paths: [String], _ preprocessing: ImagePreprocessing) {
        for (row, path) in paths.enumerated() {
            do throws(ConcordError) {
                pixels += preprocessing(try Image(contentsOf: path))
                rows.append(row)
            } catch { failures.append((row, error)) }
        }
    }
}
