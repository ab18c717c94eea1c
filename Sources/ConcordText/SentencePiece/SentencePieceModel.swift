import CSentencePiece
import ConcordCore

/// A model of the sentencepiece library.
///
/// `@unchecked Sendable`: the pointer is private and set once, the functions of the seam that are called with it do
/// not change the model, and it is released only in `deinit`, when no reference is left.
final class SentencePieceModel: @unchecked Sendable {
    private let model: OpaquePointer
    let tokens: [String]
    /// Finds the best pieces; nil leaves that to the library.
    private let unigram: UnigramModel<Float>?

    /// Loads the bytes of a model file. Throws `.invalidTokenizer` when they are damaged.
    init(bytes: [UInt8], source: String) throws(ConcordError) {
        try ForeignContent.refuse(bytes, path: source, .invalidTokenizer)
        let file = try SentencePieceFile(bytes, source: source)
        var message: UnsafeMutablePointer<CChar>?
        guard let model = csentencepiece_load(bytes, bytes.count, &message) else {
            defer { csentencepiece_free(message) }
            let reason = message.map { String(cString: $0) } ?? "out of memory"
            throw ConcordError(.invalidTokenizer, "\(source) is not a SentencePiece model: \(reason)")
        }
        self.model = model
        tokens = (0..<csentencepiece_count(model)).map { String(cString: csentencepiece_piece(model, $0)) }
        unigram = Self.unigram(file)
    }

    /// The model for files of which every release of the library cuts a text alike but for ties ("9999999"): there the
    /// releases round in different ways, so the cut of release 0.2.3 is made here.
    private static func unigram(_ file: SentencePieceFile) -> UnigramModel<Float>? {
        guard file.isUnigram, let unknown = file.pieces.firstIndex(where: { $0.kind == .unknown }),
            !file.pieces.contains(where: { $0.kind == .userDefined || $0.kind == .byte })
        else { return nil }
        let normal = file.pieces.enumerated().filter { $0.element.kind == .normal }
        return UnigramModel(
            vocabulary: [[UInt8]: Int32](
                normal.map { ($0.element.name, Int32($0.offset)) }, uniquingKeysWith: { first, _ in first }),
            scores: file.pieces.map(\.score), smallestScore: normal.map(\.element.score).min() ?? 0,
            unknown: Int32(unknown), fallsBackToBytes: false)
    }

    deinit { csentencepiece_release(model) }

    /// The id of a piece; that of the unknown piece for one that the model lacks.
    func id(of piece: String) -> Int32 { csentencepiece_id(model, piece) }

    /// The ids of a text; the unknown piece alone for a text that the library refuses.
    func encode(_ text: String) -> [Int32] {
        var text = text
        return text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { unigram == nil ? pieces(of: $0) : bestPieces(of: $0) }
        }
    }

    private func pieces(of text: UnsafeBufferPointer<CChar>) -> [Int32] {
        var ids: UnsafeMutablePointer<Int32>?
        let count = csentencepiece_encode(model, text.baseAddress, text.count, &ids)
        defer { csentencepiece_free(ids) }
        return count < 0 ? [id(of: "")] : Array(UnsafeBufferPointer(start: ids, count: count))
    }

    private func bestPieces(of text: UnsafeBufferPointer<CChar>) -> [Int32] {
        var normalized: UnsafeMutablePointer<CChar>?
        let count = csentencepiece_normalize(model, text.baseAddress, text.count, &normalized)
        defer { csentencepiece_free(normalized) }
        guard count >= 0, let unigram else { return [id(of: "")] }
        let bytes = UnsafeBufferPointer(start: normalized, count: count).map { UInt8(bitPattern: $0) }
        return unigram.encode(bytes[...])
    }

    func decode(_ ids: [Int32]) -> String {
        let known = ids.filter { tokens.indices.contains(Int($0)) }
        guard let text = csentencepiece_decode(model, known, known.count) else { return "" }
        defer { csentencepiece_free(text) }
        return String(cString: text)
    }
}
