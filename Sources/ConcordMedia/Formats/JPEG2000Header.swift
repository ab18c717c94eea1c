/// The header of a JPEG 2000 file (ISO/IEC 15444-1, annexes A and I).
struct JPEG2000Header {
    /// The number of the color space in a JP2 file, where it has one.
    private var colorSpace: Int?
    private var hasPalette = false
    private var isAtOrigin = false
    private var tiles = 0
    private var components: [Component] = []

    private struct Component: Hashable {
        /// Bits less one; the highest bit says that values are signed.
        let depth: Int
        let horizontalStep, verticalStep: Int
    }

    /// As many as are ever met; each is decoded by a walk through the file.
    private static let mostTiles = 4096

    init(_ file: FileBytes) throws(ImageFault) {
        if file.starts([0xFF, 0x4F]) {
            try readCodestream(file, 0)
        } else {
            try readBoxes(file, from: 0, to: file.count, areInHeader: false)
        }
    }

    /// Refuses what libvips reads otherwise than Pillow, or not at all.
    func check() throws(ImageFault) {
        guard colorSpace == nil || colorSpace == 16 || colorSpace == 17, !hasPalette else {
            throw .unread("has a palette, or colors that are neither sRGB nor gray; save it as RGB")
        }
        guard let first = components.first, components.count <= 4, components.allSatisfy({ $0 == first }) else {
            throw .unread("has \(components.count) components, or components of different depths; save it as RGB")
        }
        guard first.depth < 16, first.horizontalStep == 1, first.verticalStep == 1 else {
            throw .unread("has signed, subsampled or more than 16-bit components; save it as 8-bit RGB")
        }
        guard isAtOrigin else { throw .unread("does not start at its grid's origin; save it again") }
        guard tiles <= Self.mostTiles else {
            throw .unread("has \(tiles) tiles, more than the \(Self.mostTiles) supported; save it with larger ones")
        }
    }

    private mutating func readBoxes(
        _ file: FileBytes, from start: Int, to end: Int, areInHeader: Bool
    ) throws(ImageFault) {
        var offset = start
        while offset + 8 <= end {
            var size = try file.bigEndian(offset, count: 4)
            var header = 8
            if size == 1 {
                // Numbers of 8 bytes may have the highest bit set.
                guard try file.byte(offset + 8) < 0x80 else { throw .damaged }
                size = try file.bigEndian(offset + 8, count: 8)
                header = 16
            } else if size == 0 {
                size = end - offset
            }
            guard size >= header && size <= end - offset || file.starts("jp2c", at: offset + 4) else { throw .damaged }
            if !areInHeader && file.starts("jp2h", at: offset + 4) {
                try readBoxes(file, from: offset + header, to: offset + size, areInHeader: true)
            } else if file.starts("colr", at: offset + 4) {
                if colorSpace == nil, try file.byte(offset + header) == 1 {
                    colorSpace = try file.bigEndian(offset + header + 3, count: 4)
                }
            } else if file.starts("pclr", at: offset + 4) {
                hasPalette = true
            } else if file.starts("jp2c", at: offset + 4) {
                return try readCodestream(file, offset + header)
            }
            offset += size
        }
    }

    private mutating func readCodestream(_ file: FileBytes, _ start: Int) throws(ImageFault) {
        guard file.starts([0xFF, 0x4F, 0xFF, 0x51], at: start) else { throw .damaged }
        func number(_ index: Int) throws(ImageFault) -> Int { try file.bigEndian(start + 8 + 4 * index, count: 4) }
        let (width, height) = (try number(0), try number(1))
        isAtOrigin = try number(2) | number(3) | number(6) | number(7) == 0
        let (tileWidth, tileHeight) = (try number(4), try number(5))
        guard tileWidth > 0 && tileHeight > 0 else { throw .damaged }
        let (across, down) = ((width + tileWidth - 1) / tileWidth, (height + tileHeight - 1) / tileHeight)
        // The number is shown: a product of numbers of 32 bits might not fit.
        tiles = min(across, 1 << 30) * min(down, 1 << 30)
        let count = try file.bigEndian(start + 40, count: 2)
        let values = try file.range(start + 42, count: 3 * count)
        components = (0..<count).map {
            Component(
                depth: Int(values[3 * $0]), horizontalStep: Int(values[3 * $0 + 1]),
                verticalStep: Int(values[3 * $0 + 2]))
        }
    }
}
