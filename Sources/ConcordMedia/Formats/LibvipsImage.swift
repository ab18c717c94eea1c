import CVips
import ConcordCore

/// The state that libvips keeps for the whole process.
enum VipsLibrary {
    /// Starts libvips, the first time. Throws `.unavailable` where it does not start.
    static func start() throws(ConcordError) {
        guard isStarted else {
            throw ConcordError(.unavailable, "libvips cannot be initialized; install libvips 8.13 or newer")
        }
    }

    private static let isStarted: Bool = {
        guard vips_init("concord") == 0 else { return false }
        vips_block_untrusted_set(1)
        // Flagged as untrusted, and read nevertheless where ``ImageLimits/formats`` has them: no file reaches a loader
        // but by ``ImageFormat``, so that nothing else opens them.
        vips_operation_block_set("VipsForeignLoadJp2k", 0)
        vips_operation_block_set("VipsForeignLoadJxl", 0)
        // Each image is read once, and the callers' threads are the parallelism.
        vips_cache_set_max(0)
        vips_concurrency_set(1)
        // The vector code of libvips 8.14 damages the heap now and then where it reduces an image by 4 or more.
        vips_vector_set_enabled(0)
        // Damage is reported as errors; libvips would also print it to standard error.
        g_log_set_handler("VIPS", G_LOG_LEVEL_WARNING, { _, _, message, _ in countWarnings(message) }, nil)
        return true
    }()

    /// The warnings about pixel data that libjpeg gave on this thread since this was set to 0. A damaged JPEG decodes
    /// with warnings only, and the log is the one place where libvips tells their number.
    static var pixelWarnings: Int {
        get { Int(bitPattern: pthread_getspecific(warningsKey)) }
        set { pthread_setspecific(warningsKey, UnsafeMutableRawPointer(bitPattern: newValue)) }
    }

    /// The thread's count is stored in the pointer itself.
    private static let warningsKey: pthread_key_t = {
        var key = pthread_key_t()
        pthread_key_create(&key, nil)
        return key
    }()

    private static func countWarnings(_ message: UnsafePointer<CChar>?) {
        guard let message else { return }
        let words = String(cString: message).split(separator: " ")
        guard words.count == 4, words[0] == "read", words[1] == "gave", let count = Int(words[2]) else { return }
        // The header is read twice, once alone and once before the pixels, and both readers log their warnings when
        // they are closed: what is left of the difference is about the pixels.
        pixelWarnings = abs(pixelWarnings - count)
    }
}

/// An encoded image that libvips has opened. A thread has one of them open at a time, and does all of its work.
final class VipsFile {
    private var handle: UnsafeMutablePointer<VipsImage>?

    let width: Int
    let height: Int

    /// Reads the header. `bytes` must outlive this object.
    init(_ bytes: UnsafeRawBufferPointer, _ format: ImageFormat, shrink: Int = 1) throws(ImageFault) {
        guard let loader = format.loader else { preconditionFailure("libvips is not asked for \(format.name)") }
        VipsLibrary.pixelWarnings = 0
        var opened: UnsafeMutablePointer<VipsImage>?
        guard vips_seam_open(loader, bytes.baseAddress, bytes.count, Int32(shrink), &opened) == 0, let opened else {
            guard format.isReadable else {
                throw .unavailable(
                    "this machine's libvips was built without \(format.name); install one with it, or convert the "
                        + "image")
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

    /// The conversion of the pixels to RGB. Throws where Pillow has none either.
    func conversion(
        isTransparencyKeyed: Bool = false, roundsHighBytes: Bool = false
    ) throws(ImageFault) -> PixelConversion {
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
    func read(_ conversion: PixelConversion) throws(ImageFault) -> Image {
        // Strips keep the decoder on this thread: libvips' own evaluation would start workers for each image.
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
    /// gray and only warns. Warnings about the header (stray bytes between segments) are common and harmless.
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

    /// The loader of libvips for the format; nil for formats that libvips does not read here.
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

/// An image that libvips decodes in one go.
struct LibvipsImage: EncodedImage {
    private let format: ImageFormat
    private let file: VipsFile
    private let conversion: PixelConversion

    var width: Int { file.width }
    var height: Int { file.height }

    init(_ bytes: UnsafeRawBufferPointer, _ format: ImageFormat) throws(ImageFault) {
        self.format = format
        file = try VipsFile(bytes, format)
        // A gray PNG of 16 bits with one transparent value (color type 0) gets an alpha band from libvips only.
        let isTransparencyKeyed = format == .png && bytes.count > 25 && bytes[25] == 0
        conversion = try file.conversion(isTransparencyKeyed: isTransparencyKeyed)
    }

    /// A JPEG 2000 file, whose header libvips does not tell all of.
    init(jpeg2000 bytes: UnsafeRawBufferPointer) throws(ImageFault) {
        try JPEG2000Header(FileBytes(bytes: bytes)).check()
        format = .jpeg2000
        file = try VipsFile(bytes, .jpeg2000)
        conversion = try file.conversion(roundsHighBytes: true)
    }

    func decode() throws(ImageFault) -> Image {
        let image = try file.read(conversion)
        // The others are turned by what decodes them, whatever an EXIF block says besides.
        return format == .png || format == .webp ? image.oriented(file.orientation) : image
    }
}
