import ConcordCore
import ConcordData
import ConcordMedia
import ConcordModels
import ConcordTensor

/// The vectors of many inputs, and which of these could not be embedded.
public struct EmbeddedInputs {
    /// Unit vectors `[inputs, width]` in the order of the inputs, float32 on the host. Rows of inputs that were left out
    /// are NaN.
    public let vectors: Tensor
    /// How many texts were cut at the context length.
    public let truncatedCount: Int
    /// Pictures that cannot be read.
    public let skipped: [SkippedInput]
}

extension EmbeddingModel {
    /// Unit vectors of texts and pictures, in the order given.
    ///
    /// - Parameter isStrict: whether a picture that cannot be read is an error; otherwise it is left out.
    /// - Throws: for pictures as ``imageSide()``; where `isStrict`, what is wrong with the first that cannot be read.
    public func embed(
        _ inputs: [EmbeddingInput], isStrict: Bool = true, progress: ProgressDisplay? = nil
    ) throws -> EmbeddedInputs {
        let loader = try loader(of: EmbeddingInputs(inputs))
        var blocks = [Tensor](), truncated = 0, skipped = [SkippedInput](), done = 0
        while let piece = try loader.next() {
            if isStrict, let failure = piece.failures.first { throw failure.error }
            let (vectors, count) = try embed(piece)
            blocks.append(vectors)
            truncated += count
            skipped += piece.skipped(from: done)
            done += piece.count
            progress?.show(done: done, of: inputs.count)
        }
        progress?.finish()
        let vectors = blocks.isEmpty ? .zeros([0, encoder.embeddingWidth]) : Tensor.concatenated(blocks)
        return EmbeddedInputs(vectors: vectors, truncatedCount: truncated, skipped: skipped)
    }

    /// Reads inputs and decodes their pictures on another thread, piece by piece.
    ///
    /// - Parameter pieces: what is left of the inputs, `count` pieces; nil for all.
    /// - Throws: for pictures as ``imageSide()``; `.fileSystem`.
    func loader(
        of inputs: EmbeddingInputs, pieces: EmbeddingPieces? = nil, count: Int? = nil
    ) throws(ConcordError) -> PrefetchLoader<PreparedInputs> {
        let preprocessing = inputs.imageCount > 0 ? try imageSide().preprocessing : nil
        let pieces = if let pieces { pieces } else { try inputs.makePieces() }
        // In order, since there is one thread.
        return PrefetchLoader(batches: 0..<(count ?? inputs.pieceCount), threads: 1, ahead: 2) { _ in
            guard let piece = try pieces.next() else {
                throw ConcordError(.invalidDataset, "the list of inputs has become shorter while it was read")
            }
            return PreparedInputs(piece, preprocessing)
        }
    }

    /// Unit vectors `[count, width]` of a piece, NaN for pictures that were not decoded, and how many texts were cut.
    func embed(_ piece: PreparedInputs) throws(ConcordError) -> (vectors: Tensor, truncated: Int) {
        let (texts, truncated) =
            piece.texts.isEmpty
            ? (Tensor.zeros([0, encoder.embeddingWidth]), 0)
            : try embed(texts: piece.texts.map(\.text), batchSize: 128)
        var blocks = [texts]
        if !piece.images.rows.isEmpty {
            blocks.append(try embed(pixels: piece.images.pixels, count: piece.images.rows.count))
        }
        let order = piece.texts.map(\.row) + piece.images.rows.map { piece.imageRows[$0] }
        // The places of all others hold a row of NaN.
        blocks.append(.full([1, encoder.embeddingWidth], .nan))
        var places = [Int](repeating: order.count, count: piece.count)
        for (place, row) in order.enumerated() { places[row] = place }
        return (Tensor.concatenated(blocks).indexSelected(axis: 0, Tensor(places)), truncated)
    }
}

/// A piece of inputs with its pictures decoded.
struct PreparedInputs: Sendable {
    let count: Int
    let texts: [(row: Int, text: String)]
    let images: DecodedBatch
    /// The places of the pictures in the piece.
    let imageRows: [Int]
    private let paths: [String]

    /// - Parameter preprocessing: may be nil where there is no picture.
    init(_ inputs: [EmbeddingInput], _ preprocessing: ImagePreprocessing?) {
        count = inputs.count
        var texts = [(row: Int, text: String)](), rows = [Int](), paths = [String]()
        for (row, input) in inputs.enumerated() {
            switch input {
            case .text(let text): texts.append((row, text))
            case .image(let path):
                rows.append(row)
                paths.append(path)
            }
        }
        (self.texts, imageRows, self.paths) = (texts, rows, paths)
        images = preprocessing.map { DecodedBatch(paths, $0) } ?? DecodedBatch()
    }

    /// The pictures that cannot be read, by their places in the piece.
    var failures: [(row: Int, path: String, error: ConcordError)] {
        images.failures.map { (imageRows[$0.row], paths[$0.row], $0.error) }
    }

    /// The same as entries of a list, where the piece begins at `start` of all inputs.
    func skipped(from start: Int) -> [SkippedInput] {
        failures.map { SkippedInput(index: start + $0.row, path: $0.path, reason: $0.error.message) }
    }
}
