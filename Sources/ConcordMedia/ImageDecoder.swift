import CVips
import ConcordCore

/// Decodes one picture with libvips, on the calling thread.
struct ImageDecoder {
    let name: String
    let limits: ImageLimits
    let shortestEdge: Int?

    /// Width and height as the file's header announces them. Throws as ``decode(_:)`` does for what the header says.
    func size(_ bytes: UnsafeRawBufferPointer) throws(ConcordError) -> (width: Int, height: Int) {
        let format = try format(bytes)
        let file = try openChecked(bytes, format)
        return (file.width, file.height)
    }

    /// The upright picture. Throws `.invalidImage`, or `.unavailable` where libvips does not start.
    func decode(_ bytes: UnsafeRawBufferPointer) throws(ConcordError) -> Image {
        let format = try format(bytes)
        guard format == .gif, let flag = transparencyFlag(ofGIF: bytes) else {
            return try decode(bytes, format)
        }
        // libvips blanks transparent pixels, Pillow shows their palette colour: without the flag they are the same.
        var opaque = [UInt8](bytes)
        opaque[flag] &= 0xFE
        return try opaque.withUnsafeBufferPointer { buffer throws(ConcordError) in
            try decode(UnsafeRawBufferPointer(buffer), format)
        }
    }

    private func format(_ bytes: UnsafeRawBufferPointer) throws(ConcordError) -> ImageFormat {
        try VipsLibrary.start()
        guard bytes.count > 0 else { throw problem("is empty; get the file again") }
        guard bytes.count <= limits.maximumBytes else {
            throw problem(
                "has \(bytes.count) bytes, more than the \(limits.maximumBytes) allowed; shrink the picture or raise "
                    + "the limit")
        }
        guard let format = ImageFormat(bytes) else {
            throw problem("is not a JPEG, PNG, WebP, GIF or TIFF picture; convert it or take it out")
        }
        return format
    }

    /// Opens a picture of no more pixels than allowed.
    private func openChecked(
        _ bytes: UnsafeRawBufferPointer, _ format: ImageFormat
    ) throws(ConcordError) -> VipsFile {
        guard format != .jpeg || !JPEGScans.areTooMany(bytes) else {
            throw problem("has more than \(JPEGScans.most) scans; save it again as an ordinary JPEG")
        }
        let file = try open(bytes, format, shrink: 1)
        let (width, height) = (file.width, file.height)
        let (count, overflows) = width.multipliedReportingOverflow(by: height)
        guard !overflows && count <= limits.maximumPixels else {
            throw problem(
                "announces \(width)×\(height) pixels, more than the \(limits.maximumPixels) allowed in all; shrink "
                    + "the picture or raise the limit")
        }
        return file
    }

    private func decode(_ bytes: UnsafeRawBufferPointer, _ format: ImageFormat) throws(ConcordError) -> Image {
        var file = try openChecked(bytes, format)
        if format == .jpeg, let shortestEdge {
            let shrink = [8, 4, 2].first { min(file.width, file.height) / $0 >= shortestEdge } ?? 1
            if shrink > 1 {
                file.close()
                file = try open(bytes, format, shrink: shrink)
            }
        }
        // A grey PNG of 16 bits with one transparent value (colour type 0) gets an alpha band from libvips only.
        let isTransparencyKeyed = format == .png && bytes.count > 25 && bytes[25] == 0
        guard let conversion = file.conversion(isTransparencyKeyed: isTransparencyKeyed) else {
            throw problem("stores pixels in a form that has no RGB equivalent; save it as 8-bit RGB")
        }
        let orientation = file.orientation
        guard let image = file.read(conversion) else { throw damaged(format) }
        guard format != .jpeg || file.close() == 0 else { throw damaged(format) }
        return image.oriented(orientation)
    }

    private func open(
        _ bytes: UnsafeRawBufferPointer, _ format: ImageFormat, shrink: Int
    ) throws(ConcordError) -> VipsFile {
        guard let file = VipsFile(bytes, format, shrink: shrink) else { throw damaged(format) }
        return file
    }

    private func problem(_ text: String) -> ConcordError { ConcordError(.invalidImage, "the image \(name) \(text)") }

    private func damaged(_ format: ImageFormat) -> ConcordError {
        // The buffer belongs to the whole process, so its text may be about another thread's file: it is not shown.
        vips_error_clear()
        return problem("is a damaged or truncated \(format.rawValue) file; get the file again or take it out")
    }
}
