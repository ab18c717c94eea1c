/// A TGA file, with or without runs. libvips reads TGA by way of ImageMagick only.
struct TGAImage: EncodedImage {
    let width: Int
    let height: Int
    private let file: FileBytes
    private let kind: Kind
    private let hasRuns: Bool
    /// The bytes of a pixel.
    private let size: Int
    private let isTopDown: Bool
    private let isMirrored: Bool
    private let palette: Palette?
    /// The offset of the pixels.
    private let start: Int

    private enum Kind: Int {
        case palette = 1
        case color, gray
    }

    private struct Palette {
        let first, count, size, offset: Int
    }

    private static let headerSize = 18

    /// Whether a file has the form of a TGA file. It has no magic number; later versions end with a signature.
    static func isOne(_ file: FileBytes) -> Bool {
        if file.count >= 26 && file.starts("TRUEVISION-XFILE.\0", at: file.count - 18) { return true }
        guard let image = try? TGAImage(file), image.width > 0, image.height > 0 else { return false }
        let pixels = image.hasRuns ? 1 : image.width * image.height * image.size
        return file.count - image.start >= pixels
    }

    init(_ bytes: UnsafeRawBufferPointer) throws(ImageFault) { try self.init(FileBytes(bytes: bytes)) }

    private init(_ file: FileBytes) throws(ImageFault) {
        self.file = file
        let code = try file.byte(2)
        let mapKind = try file.byte(1)
        let bits = try file.byte(16)
        let flags = try file.byte(17)
        guard let kind = Kind(rawValue: code & ~8), mapKind <= 1, flags & 0xC0 == 0 else { throw .damaged }
        let known: [Kind: [Int]] = [.palette: [8], .color: [16, 24, 32], .gray: [8, 16]]
        guard known[kind]?.contains(bits) == true, kind != .palette || mapKind == 1 else {
            throw .unread("has \(bits) bits per pixel, which is not supported; save it with 24")
        }
        self.kind = kind
        hasRuns = code & 8 != 0
        size = bits / 8
        width = try file.littleEndian(12, count: 2)
        height = try file.littleEndian(14, count: 2)
        isTopDown = flags & 0x20 != 0
        isMirrored = flags & 0x10 != 0
        var offset = Self.headerSize + (try file.byte(0))
        if mapKind == 1 {
            let entryBits = try file.byte(7)
            guard [16, 24, 32].contains(entryBits) else { throw .damaged }
            let map = Palette(
                first: try file.littleEndian(3, count: 2), count: try file.littleEndian(5, count: 2),
                size: entryBits / 8, offset: offset)
            palette = map
            offset += map.count * map.size
        } else {
            palette = nil
        }
        start = offset
    }

    func decode() throws(ImageFault) -> Image {
        let unpacked = hasRuns ? try readRuns() : []
        let stored = try hasRuns ? nil : file.range(start, count: width * height * size)
        let colors = try kind == .palette ? readPalette() : []
        return Image(width: width, height: height) { target in
            func byte(_ offset: Int) -> UInt8 { stored.map { $0[offset] } ?? unpacked[offset] }
            for row in 0..<height {
                let storedRow = isTopDown ? row : height - 1 - row
                for column in 0..<width {
                    let storedColumn = isMirrored ? width - 1 - column : column
                    let offset = (storedRow * width + storedColumn) * size
                    let pixel = target + (row * width + column) * 3
                    for channel in 0..<3 {
                        pixel[channel] =
                            switch kind {
                            case .palette: colors[Int(byte(offset)) * 3 + channel]
                            case .gray: byte(offset)
                            case .color where size == 2: Self.channel555(channel, byte(offset), byte(offset + 1))
                            case .color: byte(offset + 2 - channel)
                            }
                    }
                }
            }
        }
    }

    /// 256 colors, `[256, 3]`: black where the file gives none.
    private func readPalette() throws(ImageFault) -> [UInt8] {
        guard let palette else { throw .damaged }
        var colors = [UInt8](repeating: 0, count: 768)
        for index in palette.first..<max(palette.first, min(palette.first + palette.count, 256)) {
            let entry = try file.range(palette.offset + (index - palette.first) * palette.size, count: palette.size)
            for channel in 0..<3 {
                colors[index * 3 + channel] =
                    palette.size == 2 ? Self.channel555(channel, entry[0], entry[1]) : entry[2 - channel]
            }
        }
        return colors
    }

    private static func channel555(_ channel: Int, _ low: UInt8, _ high: UInt8) -> UInt8 {
        let value = Int(low) | Int(high) << 8
        return UInt8((value >> (10 - 5 * channel) & 31) * 255 / 31)
    }

    /// All pixels' bytes, `[height, width, size]`.
    private func readRuns() throws(ImageFault) -> [UInt8] {
        let count = width * height * size
        var pixels: [UInt8] = []
        pixels.reserveCapacity(count)
        var offset = start
        while pixels.count < count {
            let packet = try file.byte(offset)
            let length = packet & 127 + 1
            offset += 1
            let stored = try file.range(offset, count: packet < 128 ? length * size : size)
            offset += stored.count
            if packet < 128 {
                pixels += stored
            } else {
                for _ in 0..<length { pixels += stored }
            }
        }
        return pixels
    }
}
