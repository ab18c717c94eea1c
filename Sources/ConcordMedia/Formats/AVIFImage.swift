import CAVIF

/// An AVIF file, or the first frame of one, which libavif decodes as it does for Pillow: libvips would ask libheif,
/// whose colors are others where chroma is subsampled.
final class AVIFImage: EncodedImage {
    private let decoder: UnsafeMutablePointer<avifDecoder>

    let width: Int
    let height: Int

    /// Reads the header. `bytes` must outlive this object.
    init(_ bytes: UnsafeRawBufferPointer) throws(ImageFault) {
        guard let decoder = avifDecoderCreate() else { throw .damaged }
        self.decoder = decoder
        avif_seam_be_lenient(decoder)
        decoder.pointee.maxThreads = 1
        guard
            avifDecoderSetIOMemory(decoder, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
                == AVIF_RESULT_OK, avifDecoderParse(decoder) == AVIF_RESULT_OK, let image = decoder.pointee.image
        else {
            avifDecoderDestroy(decoder)
            throw .damaged
        }
        width = Int(image.pointee.width)
        height = Int(image.pointee.height)
    }

    deinit { avifDecoderDestroy(decoder) }

    func decode() throws(ImageFault) -> Image {
        // What the file says of its size binds the image in it, which takes what it needs otherwise; the cells of a small
        // grid may be larger than it.
        decoder.pointee.imageSizeLimit = UInt32(clamping: max(width * height, 1 << 20))
        guard avifDecoderParse(decoder) == AVIF_RESULT_OK, avifDecoderNthImage(decoder, 0) == AVIF_RESULT_OK,
            let image = decoder.pointee.image,
            Int(image.pointee.width) == width, Int(image.pointee.height) == height
        else { throw .damaged }
        var rgb = avifRGBImage()
        avifRGBImageSetDefaults(&rgb, image)
        rgb.depth = 8
        // Alpha is dropped after it was divided by, where colors are multiplied by it.
        let channels = decoder.pointee.alphaPresent != 0 ? 4 : 3
        rgb.format = channels == 4 ? AVIF_RGB_FORMAT_RGBA : AVIF_RGB_FORMAT_RGB
        rgb.rowBytes = UInt32(width * channels)
        let pixels = UnsafeMutablePointer<UInt8>.allocate(capacity: width * height * channels)
        defer { pixels.deallocate() }
        rgb.pixels = pixels
        guard avifImageYUVToRGB(image, &rgb) == AVIF_RESULT_OK else { throw .damaged }
        let upright = ImageOrientation(rawValue: Int(avif_seam_orientation(image))) ?? .upright
        return Image(width: width, height: height) { target in
            for pixel in 0..<(width * height) {
                for channel in 0..<3 { target[pixel * 3 + channel] = pixels[pixel * channels + channel] }
            }
        }.oriented(upright)
    }
}
