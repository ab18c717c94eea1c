/// A BMP file: what Pillow reads of it, which is all that is ever met. libvips reads BMP by way of ImageMagick only.
struct BMPImage: EncodedImage {
    /// The versions of the format, told by the size of their header.
    static let headerSizes = [12, 40, 52, 56, 64, 108, 124]

    let width: Int
    let height: Int
    private let file: FileBytes
    private let isTopDown: Bool
    private let bits: Int
    private let compression: Compression
    /// The offset of the pixels.
    private let start: Int
    /// 256 colors, `[256, 3]`, where pixels are numbers of them.
    private var palette: [UInt8] = []
    /// The bytes or bits of red, green and blue in a pixel of 16, 24 or 32 bits.
    private var layout = Layout.bytes(red: 2, green: 1, blue: 0)

    private enum Compression: Int {
        case none, runs8, runs4, masks
    }

    private enum Layout {
        case bytes(red: Int, green: Int, blue: Int)
        case bits555
        case bits565
    }

    init(_ bytes: UnsafeRawBufferPointer) throws(ImageFault) {
        file = FileBytes(bytes: bytes)
        let headerSize = try file.littleEndian(14, count: 4)
        let isOld = headerSize == 12
        if isOld {
            width = try file.littleEndian(18, count: 2)
            height = try file.littleEndian(20, count: 2)
            bits = try file.littleEndian(24, count: 2)
            isTopDown = false
            compression = .none
        } else {
            width = try file.littleEndian(18, count: 4)
            let storedHeight = try file.littleEndian(22, count: 4)
            isTopDown = storedHeight >= 0xFF00_0000
            height = isTopDown ? 1 << 32 - storedHeight : storedHeight
            bits = try file.littleEndian(28, count: 2)
            let code = try file.littleEndian(30, count: 4)
            guard let known = Compression(rawValue: code) else {
                throw .unread("uses compression \(code), which is not supported; save it without compression")
            }
            compression = known
        }
        guard [1, 4, 8, 16, 24, 32].contains(bits) else {
            throw .unread("has \(bits) bits per pixel, which is not supported; save it with 24")
        }
        var offset = 14 + headerSize
        if compression == .masks {
            // A header of 40 bytes is followed by the masks, larger ones hold them at the same place.
            let alpha = headerSize >= 56 ? try file.littleEndian(66, count: 4) : 0
            layout = try Self.layout(
                bits, file.littleEndian(54, count: 4), file.littleEndian(58, count: 4),
                file.littleEndian(62, count: 4), alpha)
            if headerSize == 40 { offset += 12 }
        } else if bits == 16 {
            layout = .bits555
        }
        let colors = isOld ? 0 : try file.littleEndian(46, count: 4)
        let entrySize = isOld ? 3 : 4
        if bits <= 8 {
            let count = colors == 0 ? 1 << bits : colors
            guard count <= 65536 else { throw .damaged }
            // Colors that the file does not give are black.
            palette = [UInt8](repeating: 0, count: 768)
            for index in 0..<min(count, 256) {
                let entry = try file.range(offset + index * entrySize, count: 3)
                for channel in 0..<3 { palette[index * 3 + channel] = entry[2 - channel] }
            }
            offset += count * entrySize
        }
        // Some writers forget the palette when they say where pixels begin.
        let stored = try file.littleEndian(10, count: 4)
        start = stored == 0 || (bits <= 8 && stored == 14 + headerSize) ? offset : stored
        let usesRuns = compression == .runs8 || compression == .runs4
        guard !usesRuns || bits == (compression == .runs8 ? 8 : 4) else {
            throw .unread(
                "is run-length encoded with \(bits) bits per pixel, which is not supported; save it without compression"
            )
        }
    }

    /// The layout that the masks of the colors describe, of those that Pillow reads.
    private static func layout(
        _ bits: Int, _ red: Int, _ green: Int, _ blue: Int, _ alpha: Int
    ) throws(ImageFault) -> Layout {
        switch (bits, red, green, blue, alpha) {
        case (16, 0x7C00, 0x3E0, 0x1F, _): return .bits555
        case (16, 0xF800, 0x7E0, 0x1F, _): return .bits565
        case (24, 0xFF0000, 0xFF00, 0xFF, _), (32, 0, 0, 0, 0): return .bytes(red: 2, green: 1, blue: 0)
        case (32, 0xFF0000, 0xFF00, 0xFF, 0), (32, 0xFF0000, 0xFF00, 0xFF, 0xFF00_0000):
            return .bytes(red: 2, green: 1, blue: 0)
        case (32, 0xFF00_0000, 0xFF0000, 0xFF00, 0), (32, 0xFF00_0000, 0xFF0000, 0xFF00, 0xFF):
            return .bytes(red: 3, green: 2, blue: 1)
        case (32, 0xFF00_0000, 0xFF00, 0xFF, 0), (32, 0xFF00_0000, 0xFF00, 0xFF, 0xFF0000):
            return .bytes(red: 3, green: 1, blue: 0)
        case (32, 0xFF, 0xFF00, 0xFF0000, 0xFF00_0000): return .bytes(red: 0, green: 1, blue: 2)
        default: throw .unread("has unsupported color bit masks; save it with 24 bits per pixel")
        }
    }

    func decode() throws(ImageFault) -> Image {
        let stride = (width * bits + 31) / 32 * 4
        let usesRuns = compression == .runs8 || compression == .runs4
        let indices = usesRuns ? try readRuns() : []
        let stored = usesRuns ? nil : try file.range(start, count: stride * height)
        return Image(width: width, height: height) { target in
            for row in 0..<height {
                let storedRow = isTopDown ? row : height - 1 - row
                for column in 0..<width {
                    let pixel = target + (row * width + column) * 3
                    if let stored {
                        convert(stored, storedRow * stride, column, pixel)
                    } else {
                        store(Int(indices[storedRow * width + column]), pixel)
                    }
                }
            }
        }
    }

    /// One pixel of a row that begins at `row`.
    private func convert(
        _ stored: UnsafeRawBufferPointer, _ row: Int, _ column: Int, _ pixel: UnsafeMutablePointer<UInt8>
    ) {
        if bits <= 8 {
            let byte = stored[row + column * bits / 8]
            let index = byte >> UInt8(8 - bits - column * bits % 8) & UInt8(1 << bits - 1)
            return store(Int(index), pixel)
        }
        let offset = row + column * bits / 8
        func scaled(_ value: Int, _ shift: Int, _ most: Int) -> UInt8 { UInt8((value >> shift & most) * 255 / most) }
        switch layout {
        case .bytes(let red, let green, let blue):
            pixel[0] = stored[offset + red]
            pixel[1] = stored[offset + green]
            pixel[2] = stored[offset + blue]
        case .bits555, .bits565:
            let value = Int(stored[offset]) | Int(stored[offset + 1]) << 8
            let isWide = if case .bits565 = layout { true } else { false }
            pixel[0] = scaled(value, isWide ? 11 : 10, 31)
            pixel[1] = scaled(value, 5, isWide ? 63 : 31)
            pixel[2] = scaled(value, 0, 31)
        }
    }

    private func store(_ color: Int, _ pixel: UnsafeMutablePointer<UInt8>) {
        for channel in 0..<3 { pixel[channel] = palette[color * 3 + channel] }
    }

    /// The numbers of all pixels' colors, `[height, width]`, as Pillow reads runs: what they skip has the first
    /// color.
    private func readRuns() throws(ImageFault) -> [UInt8] {
        let count = width * height
        var indices: [UInt8] = []
        indices.reserveCapacity(count)
        var offset = start
        var column = 0
        func pair(_ byte: Int) -> (UInt8, UInt8) { (UInt8(byte >> 4), UInt8(byte & 15)) }
        decoding: while indices.count < count {
            let (length, value) = (try file.byte(offset), try file.byte(offset + 1))
            offset += 2
            switch (length, value) {
            case (1..., _):
                let run = min(length, max(0, width - column))
                let (first, second) = compression == .runs4 ? pair(value) : (UInt8(value), UInt8(value))
                for index in 0..<run { indices.append(index % 2 == 0 ? first : second) }
                column += run
            case (_, 0):
                while indices.count % width != 0 { indices.append(0) }
                column = 0
            case (_, 1): break decoding
            case (_, 2):
                let (right, up) = (try file.byte(offset), try file.byte(offset + 1))
                offset += 2
                indices += [UInt8](repeating: 0, count: min(count - indices.count, right + up * width))
                column = indices.count % width
            default:
                let run = min(count - indices.count, value)
                let stored = try file.range(offset, count: compression == .runs4 ? (run + 1) / 2 : run)
                for index in 0..<run {
                    guard compression == .runs4 else {
                        indices.append(stored[index])
                        continue
                    }
                    let (first, second) = pair(Int(stored[index / 2]))
                    indices.append(index % 2 == 0 ? first : second)
                }
                column += value
                // Stretches begin at even offsets.
                offset += stored.count
                offset += offset % 2
            }
        }
        guard indices.count >= count else { throw .damaged }
        return indices
    }
}
