import CVips
import ConcordCore

extension Image {
    /// Decodes a file of any ``ImageFormat`` into upright RGB: the first frame of an animation, the first page of a
    /// TIFF.
    ///
    /// The pixels are those of Pillow after `ImageOps.exif_transpose` and `convert("RGB")`: alpha is dropped, not
    /// blended; gray above 8 bits is clipped to 255; RGB above 8 bits keeps the high byte. Forms of a format in which
    /// Pillow finds no RGB, such as Lab, are refused. The calling thread does all the work; any number of threads may
    /// decode at once.
    ///
    /// - Parameters:
    ///   - path: The file. Its name need not tell its format.
    ///   - limits: What is refused before it is decoded.
    ///   - shortestEdge: If given, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, the smallest whose shorter
    ///     edge still has this many pixels. Much faster for large photos, and no longer equal to Pillow.
    /// - Throws: `.fileSystem` where the file cannot be read, `.invalidImage` where it cannot be decoded,
    ///   `.unavailable` where the format's decoder is not installed.
    public init(
        contentsOf path: String, limits: ImageLimits = .standard, shrinkFor shortestEdge: Int? = nil
    ) throws(ConcordError) {
        let bytes = try Files.read(path, limit: limits.maximumBytes)
        try self.init(decoding: bytes, name: path, limits: limits, shrinkFor: shortestEdge)
    }

    /// Decodes an encoded image in memory; `name` is what errors call it. As `init(contentsOf:limits:shrinkFor:)`.
    public init(
        decoding bytes: [UInt8], name: String, limits: ImageLimits = .standard, shrinkFor shortestEdge: Int? = nil
    ) throws(ConcordError) {
        self = try bytes.withUnsafeBufferPointer { buffer throws(ConcordError) in
            try Image(
                decoding: UnsafeRawBufferPointer(buffer), name: name, limits: limits, shrinkFor: shortestEdge)
        }
    }

    /// Decodes an encoded image in memory; `name` is what errors call it. As `init(contentsOf:limits:shrinkFor:)`.
    package init(
        decoding bytes: UnsafeRawBufferPointer, name: String, limits: ImageLimits = .standard,
        shrinkFor shortestEdge: Int? = nil
    ) throws(ConcordError) {
        self = try ImageDecoder(name: name, limits: limits, shortestEdge: shortestEdge).decode(bytes)
    }
}

/// Limits for images, which are checked before any pixel is decoded: size, and formats.
public struct ImageLimits: Sendable, Hashable {
    /// The most pixels, width × height, that a header may announce.
    public var maximumPixels: Int
    /// The most bytes of an encoded file.
    public var maximumBytes: Int
    /// The formats that are read.
    public var formats: Set<ImageFormat>

    public init(
        maximumPixels: Int = 64_000_000, maximumBytes: Int = 64 << 20, formats: Set<ImageFormat> = ImageFormat.all
    ) {
        self.maximumPixels = maximumPixels
        self.maximumBytes = maximumBytes
        self.formats = formats
    }

    /// 64 million pixels and 64 MiB, of any format.
    public static let standard = ImageLimits()
}

/// The size that an encoded image announces, read without decoding it.
package struct ImageHeader: Sendable, Hashable {
    /// Columns and rows, as they are stored: a rotated photo's are exchanged.
    package let width, height: Int

    /// Reads the header of a file of one of the formats of `limits`; `name` is what errors call it.
    ///
    /// - Throws: `.invalidImage` for what is no image, damaged, of a kind that is not read, or above the limits;
    ///   `.unavailable` where the format's decoder is not installed.
    package init(
        of bytes: UnsafeRawBufferPointer, name: String, limits: ImageLimits = .standard
    ) throws(ConcordError) {
        (width, height) = try ImageDecoder(name: name, limits: limits, shortestEdge: nil).size(bytes)
    }
}

extension Image {
    /// The version of libvips that decodes images, such as `8.14.1`.
    package static var libraryVersion: String { String(cString: vips_version_string()) }
}

/// The file format of a written image.
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
