import ConcordCore

/// The content of a SentencePiece `.model` file: its pieces and the kind of its model.
///
/// The file is a message of Protocol Buffers, `ModelProto` of `sentencepiece_model.proto`. The library reads it too, but
/// trusts what it says; damage that would lead the library out of its tables is found here.
struct SentencePieceFile {
    /// Field `type` of a piece.
    enum Kind: UInt64 {
        case normal = 1
        case unknown, control, userDefined, unused, byte
    }

    struct Piece {
        var name: [UInt8] = []
        var score: Float = 0
        var kind = Kind.normal
    }

    private(set) var pieces: [Piece] = []
    /// Whether the model is of the kind `UNIGRAM`.
    private(set) var isUnigram = true
    private let source: String

    /// Throws `.invalidTokenizer` for bytes that are not a model, or a damaged one.
    init(_ bytes: [UInt8], source: String) throws(ConcordError) {
        self.source = source
        for field in try fields(bytes[...]) {
            guard case .bytes(let content) = field.value else { continue }
            switch field.number {
            case 1: pieces.append(try piece(content))
            case 2:
                for field in try fields(content) {
                    if field.number == 3, case .number(let kind) = field.value { isUnigram = kind == 1 }
                }
            // The normalizer, and that of the way back.
            case 3, 5:
                for field in try fields(content) {
                    guard field.number == 2, case .bytes(let map) = field.value, !map.isEmpty else { continue }
                    try PrecompiledCharsmap(bytes: Array(map), source: source).checkReach(source: source)
                }
            default: break
            }
        }
        guard !pieces.isEmpty else { throw failure("it has no pieces") }
    }

    private func failure(_ problem: String) -> ConcordError {
        ConcordError(.invalidTokenizer, "\(source) is not a SentencePiece model: \(problem)")
    }

    private func piece(_ content: ArraySlice<UInt8>) throws(ConcordError) -> Piece {
        var piece = Piece()
        for field in try fields(content) {
            switch (field.number, field.value) {
            case (1, .bytes(let name)): piece.name = Array(name)
            case (2, .word(let bits)): piece.score = Float(bitPattern: bits)
            case (3, .number(let value)):
                guard let kind = Kind(rawValue: value) else { throw failure("a piece is of the unknown type \(value)") }
                piece.kind = kind
            default: break
            }
        }
        guard !piece.name.isEmpty, String(validating: piece.name, as: UTF8.self) != nil, piece.score.isFinite else {
            throw failure("piece \(pieces.count) is empty, is not UTF-8, or has a score that is no number")
        }
        return piece
    }

    // MARK: Protocol Buffers

    private enum Value {
        case number(UInt64)
        case word(UInt32)
        case bytes(ArraySlice<UInt8>)
    }

    /// The fields of a message, in order; those of eight bytes are passed over.
    private func fields(_ message: ArraySlice<UInt8>) throws(ConcordError) -> [(number: UInt64, value: Value)] {
        var fields = [(number: UInt64, value: Value)]()
        var rest = message
        func take(_ count: UInt64) throws(ConcordError) -> ArraySlice<UInt8> {
            guard count <= UInt64(rest.count) else { throw failure("it ends within a field") }
            defer { rest = rest.dropFirst(Int(count)) }
            return rest.prefix(Int(count))
        }
        func number() throws(ConcordError) -> UInt64 {
            var value: UInt64 = 0
            for shift in stride(from: UInt64(0), to: 64, by: 7) {
                guard let byte = rest.popFirst() else { throw failure("it ends within a number") }
                value |= UInt64(byte & 0x7F) << shift
                if byte < 0x80 { return value }
            }
            throw failure("a number has more than ten bytes")
        }
        while !rest.isEmpty {
            let tag = try number()
            switch tag & 7 {
            case 0: fields.append((tag >> 3, .number(try number())))
            case 1: _ = try take(8)
            case 2: fields.append((tag >> 3, .bytes(try take(try number()))))
            case 5:
                let bits = try take(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                fields.append((tag >> 3, .word(bits)))
            default: throw failure("a field has the unknown wire type \(tag & 7)")
            }
        }
        return fields
    }
}
