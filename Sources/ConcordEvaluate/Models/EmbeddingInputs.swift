import ConcordCheckpoint
import ConcordCore

/// Many texts and pictures to embed, in an order that stays the same: in memory, or in a file of any length.
public struct EmbeddingInputs: Sendable {
    private enum Source: Sendable {
        case list([EmbeddingInput])
        case file(String)
    }

    private let source: Source
    public let count: Int
    /// How many of them are pictures.
    public let imageCount: Int
    /// How many pieces they are read in.
    let pieceCount: Int
    /// Tells other inputs apart.
    let fingerprint: String

    /// Inputs in memory.
    public init(_ inputs: [EmbeddingInput]) {
        source = .list(inputs)
        let text = inputs.map { input in
            switch input {
            case .text(let text): JSONValue.object([.init("text", .string(text))])
            case .image(let path): JSONValue.object([.init("image", .string(path))])
            }
        }
        fingerprint = FileHash(.xxh128, of: Array(JSONValue.array(text).text().utf8)).hexadecimal
        var next = inputs.makeIterator(), tally = Tally()
        while let piece = EmbeddingPieces.piece({ next.next() }) { tally.add(piece) }
        (count, imageCount, pieceCount) = (tally.count, tally.images, tally.pieces)
    }

    /// The inputs in a file with one object a line, `{"text": …}` or `{"image": …}`; blank lines are passed over.
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
        (count, imageCount, pieceCount) = (tally.count, tally.images, tally.pieces)
    }

    private struct Tally {
        var count = 0, images = 0, pieces = 0

        mutating func add(_ piece: [EmbeddingInput]) {
            count += piece.count
            images += piece.count { $0.isImage }
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
    /// Texts are short, and those of a piece are sorted by length; decoded pictures take much memory.
    private static let longest = 1024, mostImages = 64

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
        var piece = [EmbeddingInput](), images = 0
        while piece.count < longest, images < mostImages, let input = try next() {
            piece.append(input)
            if input.isImage { images += 1 }
        }
        return piece.isEmpty ? nil : piece
    }
}
