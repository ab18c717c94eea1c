import CVips

/// An encoded picture that libvips has opened. A thread has one of them open at a time, and does all of its work.
final class VipsFile {
    private var handle: UnsafeMutablePointer<VipsImage>?

    let width: Int
    let height: Int

    /// Reads the header; nil where it is damaged. `bytes` must outlive this object.
    init?(_ bytes: UnsafeRawBufferPointer, _ format: ImageFormat, shrink: Int) {
        VipsLibrary.pixelWarnings = 0
        var opened: UnsafeMutablePointer<VipsImage>?
        guard vips_seam_open(format.loader, bytes.baseAddress, bytes.count, Int32(shrink), &opened) == 0, let opened
        else {
            return nil
        }
        handle = opened
        width = Int(vips_image_get_width(opened))
        height = Int(vips_image_get_height(opened))
    }

    deinit { close() }

    /// The orientation that the file's EXIF block or tags give; upright where they give none.
    var orientation: ImageOrientation {
        ImageOrientation(rawValue: Int(vips_image_get_orientation(handle))) ?? .upright
    }

    func conversion(isTransparencyKeyed: Bool) -> PixelConversion? {
        PixelConversion(
            format: vips_image_get_format(handle), bands: Int(vips_image_get_bands(handle)),
            interpretation: vips_image_get_interpretation(handle), isTransparencyKeyed: isTransparencyKeyed)
    }

    /// Decodes all pixels, from the top down in strips; nil where the data are damaged.
    func read(_ conversion: PixelConversion) -> Image? {
        // Strips keep the decoder on this thread: libvips' own evaluation would start workers for each picture.
        guard let region = vips_region_new(handle) else { return nil }
        defer { vips_seam_release(region) }
        let rowsPerStrip = 16
        var isComplete = true
        let image = Image(width: width, height: height) { target in
            for top in stride(from: 0, to: height, by: rowsPerStrip) {
                let rows = min(rowsPerStrip, height - top)
                var strip = VipsRect(left: 0, top: Int32(top), width: Int32(width), height: Int32(rows))
                guard vips_region_prepare(region, &strip) == 0 else {
                    isComplete = false
                    return
                }
                for row in top..<(top + rows) {
                    guard let source = vips_seam_row(region, Int32(row)) else { continue }
                    conversion(source, target + row * width * 3, width: width)
                }
            }
        }
        return isComplete ? image : nil
    }

    /// Closes the file. Returns the number of warnings about its pixel data: libjpeg fills what is missing with
    /// grey and only warns. Warnings about the header (stray bytes between segments) are common and harmless.
    @discardableResult
    func close() -> Int {
        guard let handle else { return 0 }
        self.handle = nil
        vips_seam_release(handle)
        return VipsLibrary.pixelWarnings
    }
}
