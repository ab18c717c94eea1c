import CVips
import ConcordCore

/// Decodes one image, on the calling thread.
struct ImageDecoder {
    let name: String
    let limits: ImageLimits
    let shortestEdge: Int?

    /// Width and height as the file's header announces them. Throws as ``decode(_:)`` does for what the header says.
    func size(_ bytes: UnsafeRawBufferPointer) throws(ConcordError) -> (width: Int, height: Int) {
        let image = try openChecked(bytes, format(bytes))
        return (image.width, image.height)
    }

    /// The upright image. Throws `.invalidImage`, or `.unavailable` where the decoder is not installed.
    func decode(_ bytes: UnsafeRawBufferPointer) throws(ConcordError) -> Image {
        let format = try format(bytes)
        let image = try openChecked(bytes, format)
        return try reporting(format) { () throws(ImageFault) in try image.decode() }
    }

    private func format(_ bytes: UnsafeRawBufferPointer) throws(ConcordError) -> ImageFormat {
        try VipsLibrary.start()
        guard bytes.count > 0 else { throw problem("is empty; get the file again") }
        guard bytes.count <= limits.maximumBytes else {
            throw problem(
                "has \(bytes.count) bytes, more than the \(limits.maximumBytes) allowed; shrink the image or raise "
                    + "the limit")
        }
        let read = ImageFormat.allCases.filter(limits.formats.contains).map(\.name).joined(separator: ", ")
        let advice = "convert it, for example with `magick IN OUT.png`, or remove it"
        guard let format = ImageFormat(of: bytes) else {
            let found = ImageFormat.otherName(bytes)
            throw problem(
                (found.map { "is \($0)," } ?? "is") + " not an image in a supported format (\(read)); \(advice)")
        }
        guard limits.formats.contains(format) else {
            throw problem("is in the format \(format.name); only \(read) are supported; \(advice)")
        }
        return format
    }

    /// Opens an image of no more pixels than allowed.
    private func openChecked(
        _ bytes: UnsafeRawBufferPointer, _ format: ImageFormat
    ) throws(ConcordError) -> any EncodedImage {
        let image = try reporting(format) { () throws(ImageFault) in try open(bytes, format) }
        let (width, height) = (image.width, image.height)
        let (count, overflows) = width.multipliedReportingOverflow(by: height)
        // Some bytes for each can be counted, whatever the limit.
        guard !overflows && count <= min(limits.maximumPixels, Int.max >> 5) else {
            throw problem(
                "has \(width)×\(height) pixels, more than the \(limits.maximumPixels) allowed in total; shrink "
                    + "the image or raise the limit")
        }
        guard count > 0 else { throw problem("has no pixels; get the file again or remove it") }
        return image
    }

    private func open(
        _ bytes: UnsafeRawBufferPointer, _ format: ImageFormat
    ) throws(ImageFault) -> any EncodedImage {
        switch format {
        case .jpeg: try JPEGImage(bytes, shortestEdge: shortestEdge)
        case .tiff: try TIFFImage(bytes, limits)
        case .gif: try GIFImage(bytes)
        case .png, .webp, .heic, .jpegXL: try LibvipsImage(bytes, format)
        case .jpeg2000: try LibvipsImage(jpeg2000: bytes)
        case .avif: try AVIFImage(bytes)
        case .bmp: try BMPImage(bytes)
        case .netpbm: try NetpbmImage(bytes)
        case .tga: try TGAImage(bytes)
        }
    }

    private func problem(_ text: String) -> ConcordError { ConcordError(.invalidImage, "the image \(name) \(text)") }

    private func reporting<Value>(
        _ format: ImageFormat, _ body: () throws(ImageFault) -> Value
    ) throws(ConcordError) -> Value {
        do throws(ImageFault) {
            return try body()
        } catch {
            // The buffer belongs to the whole process, so its text may be about another thread's file: it is not shown.
            vips_error_clear()
            switch error {
            case .damaged:
                throw problem("is a damaged or truncated \(format.name) file; get the file again or remove it")
            case .unread(let text): throw problem("is a \(format.name) file that \(text)")
            case .unavailable(let text): throw ConcordError(.unavailable, "the image \(name) cannot be read: \(text)")
            }
        }
    }
}

/// An image in a file whose header has been read. A thread has one of them open at a time, and does all of its work;
/// the file's bytes outlive it.
protocol EncodedImage {
    /// Columns and rows, as they are stored: those of a turned photo are exchanged.
    var width: Int { get }
    var height: Int { get }

    /// Decodes all pixels, and turns them upright.
    func decode() throws(ImageFault) -> Image
}

/// The reason why a file cannot be decoded.
enum ImageFault: Error {
    /// It is damaged, or ends early.
    case damaged
    /// It is whole, and of a kind that is not read: what it has, and what to do, as the rest of a sentence about it.
    case unread(String)
    /// The decoder is not installed: a sentence.
    case unavailable(String)
}

/// The bytes of a file, for readers that must not look beyond their end.
struct FileBytes {
    let bytes: UnsafeRawBufferPointer

    var count: Int { bytes.count }

    /// The byte at `offset`. Throws where the file ends before it.
    func byte(_ offset: Int) throws(ImageFault) -> Int {
        guard offset >= 0 && offset < bytes.count else { throw .damaged }
        return Int(bytes[offset])
    }

    /// The bytes from `offset` on, all of which are there.
    func range(_ offset: Int, count: Int) throws(ImageFault) -> UnsafeRawBufferPointer {
        guard offset >= 0 && count >= 0 && offset <= bytes.count && count <= bytes.count - offset else {
            throw .damaged
        }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + count)])
    }

    /// An unsigned number of `count` bytes, the lowest first.
    func littleEndian(_ offset: Int, count: Int) throws(ImageFault) -> Int {
        try range(offset, count: count).reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    /// An unsigned number of `count` bytes, the highest first.
    func bigEndian(_ offset: Int, count: Int) throws(ImageFault) -> Int {
        try range(offset, count: count).reduce(0) { $0 << 8 | Int($1) }
    }

    func starts(_ magic: [UInt8], at offset: Int = 0) -> Bool {
        bytes.count >= offset + magic.count && bytes[offset..<(offset + magic.count)].elementsEqual(magic)
    }

    func starts(_ magic: String, at offset: Int = 0) -> Bool { starts(Array(magic.utf8), at: offset) }
}
