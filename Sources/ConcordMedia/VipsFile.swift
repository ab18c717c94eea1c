import CVips

/// An encoded picture that libvips has opened. A thread has one of them open at a time, and does all of its work.
final class VipsFile {
    private var handle: UnsafeMutablePointer<VipsImage>?

    let width: Int
    let height: Int

    /// Reads the header. `bytes` must outlive this object.
    init(_ bytes: UnsafeRawBufferPointer, _ format: ImageFormat, shrink: Int = 1) throws(PictureFault) {
        guard let loader = format.loader else { preconditionFailure("libvips is not asked for \(format.name)") }
        VipsLibrary.pixelWarnings = 0
        var opened: UnsafeMutablePointer<VipsImage>?
        guard vips_seam_open(loader, bytes.baseAddress, bytes.count, Int32(shrink), &opened) == 0, let opened else {
            guard format.isReadable else {
                throw .unavailable(
                    "this machine's libvips was built without \(format.name); install one that has it, or convert the "
                        + "picture")
            }
            throw .damaged
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

    /// How the pixels become RGB. Throws where Pillow knows no way either.
    func conversion(
        isTransparencyKeyed: Bool = false, roundsHighBytes: Bool = false
    ) throws(PictureFault) -> PixelConversion {
        guard
            let conversion = PixelConversion(
                format: vips_image_get_format(handle), bands: Int(vips_image_get_bands(handle)),
                interpretation: vips_image_get_interpretation(handle), isTransparencyKeyed: isTransparencyKeyed,
                roundsHighBytes: roundsHighBytes)
        else {
            throw .unread("stores pixels in a form that has no RGB equivalent; save it as 8-bit RGB")
        }
        return conversion
    }

    /// Decodes all pixels, from the top down in strips.
    func read(_ conversion: PixelConversion) throws(PictureFault) -> Image {
        // Strips keep the decoder on this thread: libvips' own evaluation would start workers for each picture.
        guard let region = vips_region_new(handle) else { throw .damaged }
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
        guard isComplete else { throw .damaged }
        return image
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

extension ImageFormat {
    /// Whether what decodes the format is installed: libvips may have been built without some.
    package var isReadable: Bool {
        guard let loader else { return true }
        return (try? VipsLibrary.start()) != nil && vips_type_find("VipsOperation", vips_seam_loader_name(loader)) != 0
    }

    /// What libvips decodes the format with; nil for those that it is not asked for.
    fileprivate var loader: vips_seam_format? {
        switch self {
        case .jpeg: VIPS_SEAM_JPEG
        case .png: VIPS_SEAM_PNG
        case .webp: VIPS_SEAM_WEBP
        case .gif: VIPS_SEAM_GIF
        case .tiff: VIPS_SEAM_TIFF
        case .heic: VIPS_SEAM_HEIF
        case .jpeg2000: VIPS_SEAM_JPEG_2000
        case .jpegXL: VIPS_SEAM_JPEG_XL
        // libvips reads BMP and TGA by way of ImageMagick only, which is not made for files from strangers; of its PPM
        // loader that is said as well, and it leaves values unscaled; its AVIF is not Pillow's.
        case .bmp, .tga, .netpbm, .avif: nil
        }
    }
}
