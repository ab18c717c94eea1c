import CVips

/// A picture that libvips decodes in one go.
struct VipsPicture: EncodedPicture {
    private let format: ImageFormat
    private let file: VipsFile
    private let conversion: PixelConversion

    var width: Int { file.width }
    var height: Int { file.height }

    init(_ bytes: UnsafeRawBufferPointer, _ format: ImageFormat) throws(PictureFault) {
        self.format = format
        file = try VipsFile(bytes, format)
        // A grey PNG of 16 bits with one transparent value (colour type 0) gets an alpha band from libvips only.
        let isTransparencyKeyed = format == .png && bytes.count > 25 && bytes[25] == 0
        conversion = try file.conversion(isTransparencyKeyed: isTransparencyKeyed)
    }

    /// A JPEG 2000 file, whose header libvips does not tell all of.
    init(jpeg2000 bytes: UnsafeRawBufferPointer) throws(PictureFault) {
        try JPEG2000Header(FileBytes(bytes: bytes)).check()
        format = .jpeg2000
        file = try VipsFile(bytes, .jpeg2000)
        conversion = try file.conversion(roundsHighBytes: true)
    }

    func decode() throws(PictureFault) -> Image {
        let image = try file.read(conversion)
        // The others are turned by what decodes them, whatever an EXIF block says besides.
        return format == .png || format == .webp ? image.oriented(file.orientation) : image
    }
}
