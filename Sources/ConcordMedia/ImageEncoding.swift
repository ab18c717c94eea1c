import CVips
import ConcordCore

/// The file format of a written picture.
public enum ImageEncoding: Sendable, Hashable {
    case png
    /// Quality 1…100; chroma is subsampled 4:2:0 below 90.
    case jpeg(quality: Int)
}

extension Image {
    /// The bytes of a PNG or JPEG file. Throws `.invalidImage` where libvips refuses.
    public func encoded(as encoding: ImageEncoding) throws(ConcordError) -> [UInt8] {
        try VipsLibrary.start()
        let quality: Int32 =
            switch encoding {
            case .png: 0
            case .jpeg(let quality): Int32(min(max(quality, 1), 100))
            }
        var bytes: UnsafeMutableRawPointer?
        var count = 0
        let status = withPixels { vips_seam_encode($0, Int32(width), Int32(height), quality, &bytes, &count) }
        guard status == 0, let bytes else {
            vips_error_clear()
            throw ConcordError(.invalidImage, "libvips cannot encode an image of \(width)×\(height); make it smaller")
        }
        defer { g_free(bytes) }
        return [UInt8](UnsafeRawBufferPointer(start: bytes, count: count))
    }

    /// Writes a PNG or JPEG file, atomically. Throws `.fileSystem` or `.invalidImage`.
    public func write(to path: String, as encoding: ImageEncoding) throws {
        try Files.replace(path, with: encoded(as: encoding))
    }
}
