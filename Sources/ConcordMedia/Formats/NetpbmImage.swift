/// A PBM, PGM or PPM file, plain or binary, whose values are scaled to 8 bits as Pillow does. libvips leaves them
/// unscaled.
struct NetpbmImage: EncodedImage {
    let width: Int
    let height: Int
    private let file: FileBytes
    private let kind: Kind
    private let isPlain: Bool
    /// The value that stands for white.
    private let most: Int
    /// The offset of the pixels.
    private let start: Int

    private enum Kind: Int {
        case bits = 1
        case gray, color
    }

    static func isOne(_ file: FileBytes) -> Bool {
        guard file.starts("P"), let digit = try? file.byte(1), let space = try? file.byte(2) else { return false }
        return (0x31...0x36).contains(digit) && isSpace(space)
    }

    init(_ bytes: UnsafeRawBufferPointer) throws(ImageFault) {
        file = FileBytes(bytes: bytes)
        let number = try file.byte(1) - 0x30
        guard let kind = Kind(rawValue: (number - 1) % 3 + 1) else { throw .damaged }
        self.kind = kind
        isPlain = number <= 3
        var reader = TokenReader(file: file, offset: 2)
        width = try reader.number()
        height = try reader.number()
        most = kind == .bits ? 1 : try reader.number()
        guard (1...65535).contains(most) else {
            throw .unread("has the maximum \(most); save it with values up to 255")
        }
        start = reader.offset
    }

    func decode() throws(ImageFault) -> Image {
        let channels = kind == .color ? 3 : 1
        let values = try isPlain ? plainValues(width * height * channels) : binaryValues(channels)
        let table = (0...most).map(scaled)
        return Image(width: width, height: height) { target in
            for index in 0..<(width * height * 3) {
                target[index] = table[Int(values[channels == 3 ? index : index / 3])]
            }
        }
    }

    /// The byte that a value becomes. Pillow scales grays above 8 bits to 16, and clips those to 255.
    private func scaled(_ value: Int) -> UInt8 {
        if kind == .bits { return value == 0 ? 255 : 0 }
        let whole = kind == .gray && most > 255 ? 65535.0 : 255.0
        return UInt8(min((Double(value) / Double(most) * whole).rounded(.toNearestOrEven), 255))
    }

    /// Binary values, of which those above the most are the most.
    private func binaryValues(_ channels: Int) throws(ImageFault) -> [UInt16] {
        if kind == .bits {
            let stride = (width + 7) / 8
            let rows = try file.range(start, count: stride * height)
            return (0..<(width * height)).map {
                let (row, column) = $0.quotientAndRemainder(dividingBy: width)
                return UInt16(rows[row * stride + column / 8] >> UInt8(7 - column % 8) & 1)
            }
        }
        let count = width * height * channels
        guard most > 255 else {
            return try file.range(start, count: count).map { UInt16(min(Int($0), most)) }
        }
        let bytes = try file.range(start, count: 2 * count)
        return (0..<count).map { UInt16(min(Int(bytes[2 * $0]) << 8 | Int(bytes[2 * $0 + 1]), most)) }
    }

    /// Written numbers. Those of bits need no spaces between them.
    private func plainValues(_ count: Int) throws(ImageFault) -> [UInt16] {
        // A value takes a byte at least: a file cannot announce more than it has.
        guard count <= file.count else { throw .damaged }
        var reader = TokenReader(file: file, offset: start)
        var values: [UInt16] = []
        values.reserveCapacity(count)
        for _ in 0..<count {
            let value = try kind == .bits ? reader.digit() : reader.number()
            guard value <= most else { throw .damaged }
            values.append(UInt16(value))
        }
        return values
    }

    private static func isSpace(_ byte: Int) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    /// Reads numbers with spaces and comments before them.
    private struct TokenReader {
        let file: FileBytes
        var offset: Int

        /// A number, and the one byte after it.
        mutating func number() throws(ImageFault) -> Int {
            var value = try digit()
            while offset < file.count, case let byte = try file.byte(offset), (0x30...0x39).contains(byte) {
                value = value * 10 + byte - 0x30
                guard value < 1 << 32 else { throw .damaged }
                offset += 1
            }
            guard offset < file.count else { return value }
            // A comment may follow at once, and is skipped by what reads on.
            let next = try file.byte(offset)
            guard NetpbmImage.isSpace(next) || next == 0x23 else { throw .damaged }
            if next != 0x23 { offset += 1 }
            return value
        }

        /// One digit, after spaces and comments.
        mutating func digit() throws(ImageFault) -> Int {
            while true {
                let byte = try file.byte(offset)
                offset += 1
                if byte == 0x23 {
                    while case let end = try file.byte(offset), end != 0x0A && end != 0x0D { offset += 1 }
                } else if !NetpbmImage.isSpace(byte) {
                    guard (0x30...0x39).contains(byte) else { throw .damaged }
                    return byte - 0x30
                }
            }
        }
    }
}
