import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordMedia
import ConcordModels
import ConcordTensor

/// One text, image or sound to embed.
public enum EmbeddingInput: Sendable, Hashable {
    case text(String)
    /// The path of an image.
    case image(String)
    /// The path of a sound.
    case audio(String)

    /// Reads one object, `{"text": …}`, `{"image": …}` or `{"audio": …}`.
    ///
    /// - Parameter source: what errors call it.
    /// - Throws: `.malformedText` for anything else.
    init(parsing line: [UInt8], source: String) throws(ConcordError) {
        let object = try JSONValue(parsing: line, source: source)
        switch (object["text"]?.string, object["image"]?.string, object["audio"]?.string) {
        case (let text?, nil, nil): self = .text(text)
        case (nil, let image?, nil): self = .image(image)
        case (nil, nil, let audio?): self = .audio(audio)
        default:
            throw ConcordError(
                .malformedText, "\(source) write {\"text\": …}, {\"image\": …} or {\"audio\": …}, one of the three")
        }
    }

    var isImage: Bool { if case .image = self { true } else { false } }
    var isAudio: Bool { if case .audio = self { true } else { false } }

    fileprivate var json: JSONValue {
        switch self {
        case .text(let text): .object([.init("text", .string(text))])
        case .image(let path): .object([.init("image", .string(path))])
        case .audio(let path): .object([.init("audio", .string(path))])
        }
    }
}

/// Many texts, images and sounds to embed, in an order that stays the same: in memory, or in a file of any length.
public struct EmbeddingInputs: Sendable {
    private enum Source: Sendable {
        case list([EmbeddingInput])
        case file(String)
    }

    private let source: Source
    public let count: Int
    /// The number of images among the inputs.
    package let imageCount: Int
    /// The number of sounds among the inputs.
    package let audioCount: Int
    /// The number of texts among the inputs.
    package var textCount: Int { count - imageCount - audioCount }
    /// The number of pieces that the inputs are read in.
    let pieceCount: Int
    /// Tells other inputs apart.
    let fingerprint: String

    /// Inputs in memory.
    public init(_ inputs: [EmbeddingInput]) {
        source = .list(inputs)
        fingerprint = FileHash(.xxh128, of: Array(JSONValue.array(inputs.map(\.json)).text().utf8)).hexadecimal
        var next = inputs.makeIterator(), tally = Tally()
        while let piece = EmbeddingPieces.piece({ next.next() }) { tally.add(piece) }
        (count, imageCount, audioCount, pieceCount) = (tally.count, tally.images, tally.sounds, tally.pieces)
    }

    /// The inputs in a file with one object a line, `{"text": …}`, `{"image": …}` or `{"audio": …}`; blank lines are passed over.
    ///
    /// The file is read once to see that every line is right, and once more while its inputs are embedded; neither keeps
    /// more than a piece of it in memory.
    ///
    /// - Throws: `.fileSystem`; `.malformedText` naming the first line that is something else.
    public init(contentsOf path: String) throws(ConcordError) {
        source = .file(path)
        fingerprint = try FileHash(.xxh128, ofFile: path).hexadecimal
        let pieces = try EmbeddingPieces(file: path)
        var tally = Tally()
        while let piece = try pieces.next() { tally.add(piece) }
        (count, imageCount, audioCount, pieceCount) = (tally.count, tally.images, tally.sounds, tally.pieces)
    }

    private struct Tally {
        var count = 0, images = 0, sounds = 0, pieces = 0

        mutating func add(_ piece: [EmbeddingInput]) {
            count += piece.count
            images += piece.count { $0.isImage }
            sounds += piece.count { $0.isAudio }
            pieces += 1
        }
    }

    /// The inputs once more, from the first. Throws `.fileSystem`.
    func makePieces() throws(ConcordError) -> EmbeddingPieces {
        switch source {
        case .list(let inputs): EmbeddingPieces(inputs)
        case .file(let path): try EmbeddingPieces(file: path)
        }
    }
}

/// Inputs piece by piece: each is embedded in one go. Where a piece ends depends on the inputs alone.
///
/// `@unchecked Sendable`: one thread at a time calls `next()`, first that of a run, then that of its loader.
final class EmbeddingPieces: @unchecked Sendable {
    /// Texts are short, and those of a piece are sorted by length; decoded images and sounds take much memory.
    private static let longest = 1024, mostMedia = 64

    private let nextInput: () throws(ConcordError) -> EmbeddingInput?
    private var heldBack: [EmbeddingInput]?

    init(_ inputs: [EmbeddingInput]) {
        var iterator = inputs.makeIterator()
        nextInput = { () throws(ConcordError) in iterator.next() }
    }

    init(file path: String) throws(ConcordError) {
        let reader = try LineReader(path: path)
        nextInput = { () throws(ConcordError) in
            while let line = try reader.next() {
                guard line.contains(where: { $0 > 0x20 }) else { continue }
                return try EmbeddingInput(parsing: line, source: "\(path), line \(reader.number):")
            }
            return nil
        }
    }

    /// The next inputs; nil after the last. Throws `.fileSystem`, `.malformedText`.
    func next() throws(ConcordError) -> [EmbeddingInput]? {
        guard let heldBack else { return try Self.piece(nextInput) }
        self.heldBack = nil
        return heldBack
    }

    /// Makes a piece that was read the next one again.
    func putBack(_ piece: [EmbeddingInput]) { heldBack = piece }

    static func piece<Failure: Error>(
        _ next: () throws(Failure) -> EmbeddingInput?
    ) throws(Failure) -> [EmbeddingInput]? {
        var piece = [EmbeddingInput](), media = 0
        while piece.count < longest, media < mostMedia, let input = try next() {
            piece.append(input)
            if input.isImage || input.isAudio { media += 1 }
        }
        return piece.isEmpty ? nil : piece
    }
}

/// The vectors of many inputs, and which of these could not be embedded.
public struct EmbeddedInputs {
    /// Unit vectors `[inputs, width]` in the order of the inputs, float32 on the host. Rows of inputs that were left out
    /// are NaN.
    public let vectors: Tensor
    /// The number of texts truncated to the context length.
    public let truncatedCount: Int
    /// Images and sounds that cannot be read.
    public let skipped: [SkippedInput]
}

extension EmbeddingModel {
    /// Unit vectors of texts, images and sounds, in the order given.
    ///
    /// - Parameter isStrict: whether an image or sound that cannot be read is an error; otherwise it is left out.
    /// - Throws: for images as ``imageSide()``, for sounds as ``audioSide()``; where `isStrict`, what is wrong with the first that cannot be read.
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

    /// Reads inputs and decodes their images and sounds on another thread, piece by piece.
    ///
    /// - Parameter pieces: what is left of the inputs, `count` pieces; nil for all.
    /// - Throws: for images as ``imageSide()``, for sounds as ``audioSide()``; `.fileSystem`.
    func loader(
        of inputs: EmbeddingInputs, pieces: EmbeddingPieces? = nil, count: Int? = nil
    ) throws(ConcordError) -> PrefetchLoader<PreparedInputs> {
        let preprocessing = inputs.imageCount > 0 ? try imageSide().preprocessing : nil
        let extractor = inputs.audioCount > 0 ? try audioSide().preprocessing.extractor() : nil
        let pieces = if let pieces { pieces } else { try inputs.makePieces() }
        // In order, since there is one thread.
        return PrefetchLoader(batches: 0..<(count ?? inputs.pieceCount), threads: 1, ahead: 2) { _ in
            guard let piece = try pieces.next() else {
                throw ConcordError(.invalidDataset, "the list of inputs became shorter while it was being read")
            }
            return PreparedInputs(piece, preprocessing, extractor)
        }
    }

    /// Unit vectors `[count, width]` of a piece, NaN for images and sounds that were not decoded, and how many texts were cut.
    func embed(_ piece: PreparedInputs) throws(ConcordError) -> (vectors: Tensor, truncated: Int) {
        let (texts, truncated) =
            piece.texts.isEmpty
            ? (Tensor.zeros([0, encoder.embeddingWidth]), 0)
            : try embed(texts: piece.texts.map(\.text), batchSize: 128)
        var blocks = [texts]
        if !piece.images.rows.isEmpty {
            blocks.append(try embed(pixels: piece.images.pixels, count: piece.images.rows.count))
        }
        if !piece.sounds.isEmpty { blocks.append(try embed(features: piece.sounds.map(\.features))) }
        let order = piece.texts.map(\.row) + piece.images.rows.map { piece.imageRows[$0] } + piece.sounds.map(\.row)
        // The places of all others hold a row of NaN.
        blocks.append(.full([1, encoder.embeddingWidth], .nan))
        var places = [Int](repeating: order.count, count: piece.count)
        for (place, row) in order.enumerated() { places[row] = place }
        return (Tensor.concatenated(blocks).indexSelected(axis: 0, Tensor(places)), truncated)
    }
}

/// A piece of inputs with its images and sounds decoded.
struct PreparedInputs: Sendable {
    let count: Int
    let texts: [(row: Int, text: String)]
    let images: DecodedBatch
    /// The places of the images in the piece.
    let imageRows: [Int]
    /// The sounds that could be decoded.
    let sounds: [(row: Int, features: AudioFeatures)]
    private let imagePaths: [String]
    private let audioFailures: [(row: Int, path: String, error: ConcordError)]

    /// - Parameters:
    ///   - preprocessing: may be nil where there is no image.
    ///   - extractor: may be nil where there is no sound.
    init(_ inputs: [EmbeddingInput], _ preprocessing: ImagePreprocessing?, _ extractor: AudioExtractor?) {
        count = inputs.count
        var texts = [(row: Int, text: String)](), rows = [Int](), paths = [String]()
        var sounds = [(row: Int, features: AudioFeatures)]()
        var failures = [(row: Int, path: String, error: ConcordError)]()
        for (row, input) in inputs.enumerated() {
            switch input {
            case .text(let text): texts.append((row, text))
            case .image(let path):
                rows.append(row)
                paths.append(path)
            case .audio(let path):
                guard let extractor else { continue }
                do throws(ConcordError) {
                    sounds.append((row, try extractor(AudioDecoder.read(path))))
                } catch { failures.append((row, path, error)) }
            }
        }
        (self.texts, imageRows, imagePaths) = (texts, rows, paths)
        (self.sounds, audioFailures) = (sounds, failures)
        images = preprocessing.map { DecodedBatch(paths, $0) } ?? DecodedBatch()
    }

    /// The images and sounds that cannot be read, by their places in the piece.
    var failures: [(row: Int, path: String, error: ConcordError)] {
        (images.failures.map { (imageRows[$0.row], imagePaths[$0.row], $0.error) } + audioFailures)
            .sorted { $0.row < $1.row }
    }

    /// The same as entries of a list, where the piece begins at `start` of all inputs.
    func skipped(from start: Int) -> [SkippedInput] {
        failures.map { SkippedInput(index: start + $0.row, path: $0.path, reason: $0.error.message) }
    }
}

/// An image or sound among many that could not be used and was left out, so that the others could be.
public struct SkippedInput: Sendable, Hashable {
    /// Its place among the inputs, from 0.
    public let index: Int
    public let path: String
    /// The reason.
    public let reason: String

    public init(index: Int, path: String, reason: String) {
        self.index = index
        self.path = path
        self.reason = reason
    }

    public var json: JSONValue {
        ["index": .integer(index), "path": .string(path), "reason": .string(reason)]
    }

    /// Writes inputs as JSON lines, atomically; where there are none, a file of an earlier list is removed.
    ///
    /// - Throws: `.fileSystem`.
    public static func write(_ inputs: [SkippedInput], to path: String) throws {
        guard !inputs.isEmpty else { return try ResumableOutput.remove(path) }
        try Files.replace(path, with: inputs.map { $0.json.text() + "\n" }.joined())
    }
}
