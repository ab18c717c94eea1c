import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordModels
import ConcordTensor
import Foundation

/// Embeds many inputs into a file, a row each, and goes on where it was stopped.
///
/// Neither the inputs nor the vectors are ever in memory as a whole. Until all are done the rows are in
/// `<output>.partial`, beside `<output>.partial.json`, which says what they were made with. However often the work was
/// interrupted, the file comes out the same. Images and sounds that cannot be read are left out: their rows are NaN (`null` in JSON
/// lines), and `<output>.skipped.jsonl` lists them.
public struct EmbeddingRun {
    /// The outcome for the inputs.
    public struct Summary: Sendable, Hashable {
        /// Embedded or left out by this call, and by calls before it that were stopped.
        public let done, earlier: Int
        /// Images that cannot be read, of all calls.
        public let skippedCount: Int
        /// The first of them.
        public let skipped: [SkippedInput]
        /// Texts of this call that were cut at the context length.
        public let truncatedCount: Int
        /// Whether Ctrl-C came before the last input.
        public let isInterrupted: Bool
    }

    /// The most entries of ``Summary/skipped``; the file has all.
    package static let listedCount = 1000

    private let model: EmbeddingModel
    private let inputs: EmbeddingInputs
    private let output: ResumableOutput
    private let format: EmbeddingFile.Format
    private let header: [UInt8]

    private var width: Int { model.encoder.embeddingWidth }
    /// The list of what was left out, which grows with the rows.
    package var skippedFile: String { output.path + ".skipped.jsonl" }

    /// - Parameters:
    ///   - folder: the folder that `model` is from; its weights tell whether earlier rows are of the same model.
    ///   - startsOver: whether the beginning of another output may be thrown away.
    /// - Throws: `.fileSystem`; `.invalidConfiguration` for an unknown ending, and for the beginning of another output, with
    ///   what differs; for images as `EmbeddingModel.imageSide()`, for texts as `EmbeddingModel.textSide()`.
    public init(
        _ model: EmbeddingModel, folder: String, inputs: EmbeddingInputs, output: String, startsOver: Bool = false
    ) throws(ConcordError) {
        if inputs.imageCount > 0 { _ = try model.imageSide() }
        if inputs.audioCount > 0 { _ = try model.audioSide() }
        if inputs.textCount > 0 { _ = try model.textSide() }
        self.model = model
        self.inputs = inputs
        format = try EmbeddingFile.Format(of: output)
        header = try format.header(rows: inputs.count, width: model.encoder.embeddingWidth, path: output)
        self.output = try ResumableOutput(
            output,
            settings: [
                "weights": try ResumableOutput.weightHashes(folder), "inputs": .string(inputs.fingerprint),
                "count": .integer(inputs.count), "width": .integer(model.encoder.embeddingWidth),
            ], startsOver: startsOver)
    }

    /// Embeds what is left, and gives the file its name.
    ///
    /// - Parameters:
    ///   - isStrict: whether an image that cannot be read is an error; the rows before it stay.
    ///   - beforeEnd: called when all rows are written, before the file gets its name: to write what belongs to it.
    ///   - shouldStop: asked after each piece.
    /// - Throws: `.fileSystem`, and what the model throws; rows written before stay.
    public func embed(
        isStrict: Bool = false, progress: ProgressDisplay? = nil, beforeEnd: () throws -> Void = {},
        shouldStop: () -> Bool = { InterruptSignal.hasArrived }
    ) throws -> Summary {
        let file = try output.open(), pieces = try inputs.makePieces()
        let earlier = try keepWholePieces(pieces, file)
        let skips = try AppendFile(path: skippedFile, isNew: false)
        var (skipped, skippedCount) = try keepSkips(skips, before: earlier.rows)
        var truncated = 0, done = earlier.rows
        let loader = try model.loader(of: inputs, pieces: pieces, count: inputs.pieceCount - earlier.pieces)
        defer { progress?.finish() }
        func summary(isInterrupted: Bool) -> Summary {
            Summary(
                done: done - earlier.rows, earlier: earlier.rows, skippedCount: skippedCount, skipped: skipped,
                truncatedCount: truncated, isInterrupted: isInterrupted)
        }
        while let piece = try loader.next() {
            if isStrict, let failure = piece.failures.first { throw failure.error }
            let (vectors, count) = try model.embed(piece), left = piece.skipped(from: done)
            truncated += count
            // Before the rows: an entry without its row is cut off by the next run, a row without its entry would stay.
            try skips.append(Array(left.map { $0.json.text() + "\n" }.joined().utf8))
            try file.append(format.bytes(of: vectors, missing: Set(left.map { $0.index - done })))
            skippedCount += left.count
            skipped += left.prefix(Self.listedCount - skipped.count)
            done += piece.count
            progress?.show(done: done, of: inputs.count, doneBefore: earlier.rows)
            if done < inputs.count, shouldStop() {
                loader.stop()
                return summary(isInterrupted: true)
            }
        }
        loader.stop()
        if skippedCount > 0 { try skips.synchronize() } else { try ResumableOutput.remove(skippedFile) }
        try beforeEnd()
        try output.finish(file)
        return summary(isInterrupted: false)
    }

    /// Cuts off what a killed process left of a piece, and writes the header of a new file.
    ///
    /// - Returns: what is done; `pieces` then begin with what is left.
    private func keepWholePieces(
        _ pieces: EmbeddingPieces, _ file: AppendFile
    ) throws(ConcordError) -> (rows: Int, pieces: Int) {
        guard let size = Files.size(output.partial), size >= max(1, header.count) else {
            try file.shorten(to: 0)
            try file.append(header)
            return (0, 0)
        }
        let lines = format == .jsonl ? try LineReader(path: output.partial) : nil
        var kept = (rows: 0, pieces: 0), length = header.count
        while let piece = try pieces.next() {
            var end = length + piece.count * width * MemoryLayout<Float>.size
            if let lines {
                for _ in piece { _ = try lines.next() }
                end = lines.isWhole ? lines.offset : .max
            }
            guard end <= size else {
                pieces.putBack(piece)
                break
            }
            length = end
            kept = (kept.rows + piece.count, kept.pieces + 1)
        }
        try file.shorten(to: length)
        return kept
    }

    /// Cuts off the entries of rows that are not kept.
    ///
    /// - Returns: the first of the others, and how many there are.
    private func keepSkips(
        _ file: AppendFile, before rows: Int
    ) throws(ConcordError) -> (first: [SkippedInput], count: Int) {
        let reader = try LineReader(path: file.path)
        var kept = [SkippedInput](), count = 0, length = 0
        while rows > 0, let line = try reader.next(), reader.isWhole {
            let entry = try JSONValue(parsing: line, source: "\(file.path), line \(reader.number)")
            guard let index = entry["index"]?.int, index < rows else { break }
            if count < Self.listedCount {
                kept.append(
                    SkippedInput(
                        index: index, path: entry["path"]?.string ?? "", reason: entry["reason"]?.string ?? ""))
            }
            count += 1
            length = reader.offset
        }
        try file.shorten(to: length)
        return (kept, count)
    }
}

/// Writes embeddings to a file whose ending chooses the form.
public enum EmbeddingFile {
    package enum Format: String, Sendable {
        case safetensors, npy, jsonl

        package init?(path: String) {
            guard let dot = path.lastIndex(of: "."),
                let format = Format(rawValue: String(path[path.index(after: dot)...]))
            else { return nil }
            self = format
        }

        /// The form of a file. Throws `.invalidConfiguration` for an unknown ending.
        init(of path: String) throws(ConcordError) {
            guard let format = Format(path: path) else {
                throw ConcordError(.invalidConfiguration, "\(path): the extension must be .safetensors, .npy or .jsonl")
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
