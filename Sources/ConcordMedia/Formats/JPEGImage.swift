import ConcordCore

/// A JPEG file, which libvips decodes whole, or at a fraction of its size.
struct JPEGImage: EncodedImage {
    private let bytes: UnsafeRawBufferPointer
    private let shortestEdge: Int?
    private let file: VipsFile

    var width: Int { file.width }
    var height: Int { file.height }

    /// - Parameter shortestEdge: If given, the image is decoded at 1/2, 1/4 or 1/8 of its size, the smallest whose
    ///   shorter edge still has this many pixels.
    init(_ bytes: UnsafeRawBufferPointer, shortestEdge: Int?) throws(ImageFault) {
        try JPEGMarkers.check(bytes)
        self.bytes = bytes
        self.shortestEdge = shortestEdge
        file = try VipsFile(bytes, .jpeg)
    }

    func decode() throws(ImageFault) -> Image {
        var file = file
        if let shortestEdge, let shrink = [8, 4, 2].first(where: { min(width, height) / $0 >= shortestEdge }) {
            file.close()
            file = try VipsFile(bytes, .jpeg, shrink: shrink)
        }
        let conversion = try file.conversion()
        let orientation = file.orientation
        let image = try file.read(conversion)
        guard file.close() == 0 else { throw .damaged }
        return image.oriented(orientation)
    }
}

/// Checks of the markers of a JPEG file before it is decoded.
enum JPEGMarkers {
    /// As many as newer libvips allows. Encoders write about ten.
    static let mostScans = 100

    /// Refuses a file that libjpeg does not read, and one with more than ``mostScans`` scans: a progressive image is
    /// decoded once for each, however few bytes a scan has, and without a limit a small file keeps a processor busy for
    /// hours. Finds markers as libjpeg does.
    static func check(_ bytes: UnsafeRawBufferPointer) throws(ImageFault) {
        guard let start = bytes.baseAddress else { return }
        var scans = 0
        var position = 2
        while position + 1 < bytes.count,
            let found = memchr(start + position, 0xFF, bytes.count - 1 - position)
        {
            position = UnsafeRawPointer(found) - start + 1
            switch bytes[position] {
            // Fill bytes; the marker comes after them.
            case 0xFF: continue
            // A byte of the image, or a marker that stands alone.
            case 0x00, 0x01, 0xD0...0xD8: position += 1
            case 0xD9: return
            case let marker:
                if marker == 0xDA { scans += 1 }
                guard scans <= mostScans else {
                    throw .unread("has more than \(mostScans) scans; save it again as an ordinary JPEG")
                }
                guard position + 3 < bytes.count else { return }
                try checkFrame(marker, precision: bytes[position + 3])
                let length = Int(bytes[position + 1]) << 8 | Int(bytes[position + 2])
                position += 1 + max(length, 2)
            }
        }
    }

    /// Refuses the frames (T.81, table B.1; T.87) that are no ordinary JPEG.
    private static func checkFrame(_ marker: UInt8, precision: UInt8) throws(ImageFault) {
        switch marker {
        case 0xC3, 0xC5...0xC7, 0xCB, 0xCD...0xCF, 0xF7:
            throw .unread("uses lossless or hierarchical compression; save it again as an ordinary JPEG, or as PNG")
        case 0xC0...0xC2, 0xC9, 0xCA:
            guard precision == 8 else {
                throw .unread("has \(precision) bits per sample; save it again with 8, or as PNG")
            }
        default: return
        }
    }
}
