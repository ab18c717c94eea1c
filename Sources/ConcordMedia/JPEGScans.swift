import ConcordPlatform

/// The scans of a JPEG file. A progressive picture is decoded once for each, however few bytes a scan has: without a
/// limit a small file keeps a processor busy for hours.
enum JPEGScans {
    /// As many as newer libvips allows. Encoders write about ten.
    static let most = 100

    /// Whether a file has more than ``most`` scans. Finds markers as libjpeg does.
    static func areTooMany(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let start = bytes.baseAddress else { return false }
        var count = 0
        var position = 2
        while position + 1 < bytes.count,
            let found = memchr(start + position, 0xFF, bytes.count - 1 - position)
        {
            position = UnsafeRawPointer(found) - start + 1
            switch bytes[position] {
            // Fill bytes; the marker comes after them.
            case 0xFF: continue
            // A byte of the picture, or a marker that stands alone.
            case 0x00, 0x01, 0xD0...0xD8: position += 1
            case 0xD9: return false
            case let marker:
                if marker == 0xDA { count += 1 }
                if count > most { return true }
                guard position + 2 < bytes.count else { return false }
                let length = Int(bytes[position + 1]) << 8 | Int(bytes[position + 2])
                position += 1 + max(length, 2)
            }
        }
        return false
    }
}
