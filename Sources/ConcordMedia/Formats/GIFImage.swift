/// The first frame of a GIF file, which libvips decodes, on the canvas that Pillow puts it on.
struct GIFImage: EncodedImage {
    private let bytes: UnsafeRawBufferPointer
    private let frame: Frame

    let width: Int
    let height: Int

    init(_ bytes: UnsafeRawBufferPointer) throws(ImageFault) {
        self.bytes = bytes
        frame = try Frame(FileBytes(bytes: bytes))
        let file = try VipsFile(bytes, .gif)
        (width, height) = (file.width, file.height)
        // A first frame that leaves the canvas makes it larger.
        guard frame.left + frame.width <= width && frame.top + frame.height <= height else {
            throw .unread("has a first frame that extends beyond its canvas; save it again")
        }
        guard frame.hasPalette else { throw .unread("has no palette; save it again") }
    }

    func decode() throws(ImageFault) -> Image {
        let image = try decodeOpaque()
        guard frame.width < width || frame.height < height else { return image }
        // Around the frame Pillow shows the transparent color, or the first.
        return image.surrounded(
            x: frame.left, y: frame.top, width: frame.width, height: frame.height, by: frame.surrounding)
    }

    /// libvips blanks transparent pixels, Pillow shows their palette color: without the flag they are the same.
    private func decodeOpaque() throws(ImageFault) -> Image {
        guard let flag = frame.transparencyFlag else { return try Self.decode(bytes) }
        var opaque = [UInt8](bytes)
        opaque[flag] &= 0xFE
        return try opaque.withUnsafeBufferPointer { buffer throws(ImageFault) in
            try Self.decode(UnsafeRawBufferPointer(buffer))
        }
    }

    private static func decode(_ bytes: UnsafeRawBufferPointer) throws(ImageFault) -> Image {
        let file = try VipsFile(bytes, .gif)
        return try file.read(file.conversion())
    }
}

/// The part of a GIF before the pixels of its first frame. Follows the GIF89a specification, sections 18–26.
private struct Frame {
    let left, top, width, height: Int
    let hasPalette: Bool
    /// The offset of the byte whose lowest bit says that one palette entry is transparent; nil where it is not set.
    let transparencyFlag: Int?
    /// The color around the frame.
    let surrounding: [UInt8]

    init(_ file: FileBytes) throws(ImageFault) {
        var palette: (offset: Int, count: Int)?
        var offset = 13
        func readPalette(_ flags: Int) {
            guard flags & 0x80 != 0 else { return }
            palette = (offset, 2 << (flags & 7))
            offset += 3 * (2 << (flags & 7))
        }
        readPalette(try file.byte(10))
        var flag: Int?
        // Extension blocks until the first image descriptor (0x2C) or the trailer.
        while try file.byte(offset) == 0x21 {
            if try file.byte(offset + 1) == 0xF9, try file.byte(offset + 2) >= 4 {
                flag = try file.byte(offset + 3) & 1 != 0 ? offset + 3 : flag
            }
            offset += 2
            while case let count = try file.byte(offset), count != 0 { offset += count + 1 }
            offset += 1
        }
        guard try file.byte(offset) == 0x2C else { throw .damaged }
        left = try file.littleEndian(offset + 1, count: 2)
        top = try file.littleEndian(offset + 3, count: 2)
        width = try file.littleEndian(offset + 5, count: 2)
        height = try file.littleEndian(offset + 7, count: 2)
        let flags = try file.byte(offset + 9)
        offset += 10
        readPalette(flags)
        transparencyFlag = flag
        hasPalette = palette != nil
        let index = if let flag { try file.byte(flag + 3) } else { 0 }
        surrounding =
            if let palette, index < palette.count { Array(try file.range(palette.offset + 3 * index, count: 3)) } else {
                [0, 0, 0]
            }
    }
}

extension Image {
    /// The image with all pixels outside of a part of it replaced by `color`.
    fileprivate func surrounded(x: Int, y: Int, width partWidth: Int, height partHeight: Int, by color: [UInt8])
        -> Image
    {
        withPixels { source in
            Image(width: width, height: height) { target in
                for row in 0..<height {
                    for column in 0..<width {
                        let offset = (row * width + column) * 3
                        let isInside = (y..<(y + partHeight)).contains(row) && (x..<(x + partWidth)).contains(column)
                        for channel in 0..<3 {
                            target[offset + channel] = isInside ? source[offset + channel] : color[channel]
                        }
                    }
                }
            }
        }
    }
}
