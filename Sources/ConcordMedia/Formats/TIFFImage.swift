import CTIFF

/// The first page of a TIFF file: libvips decodes it where it does that right, libtiff's own conversion those of YCbCr.
///
/// TIFF has far more forms than are ever met. Those that Pillow reads are read, others are refused: a guess would be a
/// wrong image, not an error.
struct TIFFImage: EncodedImage {
    private static let mostPages = 10_000

    private let bytes: UnsafeRawBufferPointer
    private let header: tiff_seam_header

    var width: Int { Int(header.width) }
    var height: Int { Int(header.height) }

    init(_ bytes: UnsafeRawBufferPointer, _ limits: ImageLimits) throws(ImageFault) {
        var header = tiff_seam_header()
        guard tiff_seam_read_header(bytes.baseAddress, bytes.count, &header) else { throw .damaged }
        // libtiff goes on without tags whose values are missing or cut off, and calls an image gray that has no palette.
        let stored = try Self.storedTags(FileBytes(bytes: bytes))
        let lacksPalette =
            stored[TIFFTAG_PHOTOMETRIC] == Int(PHOTOMETRIC_PALETTE) && header.photometric != PHOTOMETRIC_PALETTE
        let lacksCoefficients = stored[TIFFTAG_YCBCRCOEFFICIENTS] != nil && !header.has_coefficients
        let lacksLevels = stored[TIFFTAG_REFERENCEBLACKWHITE] != nil && !header.has_reference_levels
        guard !lacksPalette, !(header.isYCbCr && (lacksCoefficients || lacksLevels)) else { throw .damaged }
        self.bytes = bytes
        self.header = header
        try checkBlocks(limits)
        try checkSamples()
    }

    /// The first two bytes of each tag's value in the first directory, which are all of it where it is a short number.
    private static func storedTags(_ file: FileBytes) throws(ImageFault) -> [Int32: Int] {
        let isLittleEndian = try file.byte(0) == 0x49
        func number(_ offset: Int, _ count: Int) throws(ImageFault) -> Int {
            try isLittleEndian ? file.littleEndian(offset, count: count) : file.bigEndian(offset, count: count)
        }
        // In BigTIFF, offsets and counts have 8 bytes.
        let isBig = try number(2, 2) == 43
        let start = try number(isBig ? 8 : 4, isBig ? 8 : 4)
        let count = try number(start, isBig ? 8 : 2)
        let first = start + (isBig ? 8 : 2)
        let size = isBig ? 20 : 12
        guard (0...65535).contains(count) else { throw .damaged }
        var tags: [Int32: Int] = [:]
        for entry in 0..<count {
            let offset = first + entry * size
            tags[Int32(try number(offset, 2))] = try number(offset + (isBig ? 12 : 8), 2)
        }
        return tags
    }

    func decode() throws(ImageFault) -> Image {
        try (usesLibtiff ? convertedByLibtiff() : decodedByLibvips()).oriented(
            ImageOrientation(rawValue: Int(header.orientation)) ?? .upright)
    }

    private func decodedByLibvips() throws(ImageFault) -> Image {
        let file = try VipsFile(bytes, .tiff)
        return try file.read(header.isYCbCr && !header.isJPEG ? .ycbcrBytes : file.conversion())
    }

    /// Whether the file is compressed as YCbCr, but for JPEG, whose decoder converts it. Pillow converts only what is
    /// neither
    /// compressed nor subsampled itself, by JFIF's equations.
    private var usesLibtiff: Bool {
        header.isYCbCr && !header.isJPEG
            && (header.compression != COMPRESSION_NONE || header.has_coefficients || header.has_reference_levels
                || header.isSubsampled || header.is_planar)
    }

    private func convertedByLibtiff() throws(ImageFault) -> Image {
        var isComplete = false
        let (width, height) = (width, height)
        let values = [UInt32](unsafeUninitializedCapacity: width * height) { buffer, count in
            isComplete = tiff_seam_read_rgba(
                bytes.baseAddress, bytes.count, header.width, header.height, buffer.baseAddress)
            count = isComplete ? width * height : 0
        }
        guard isComplete else { throw .damaged }
        return Image(width: width, height: height) { target in
            for (index, value) in values.enumerated() {
                for channel in 0..<3 {
                    target[index * 3 + channel] = UInt8(truncatingIfNeeded: value >> UInt32(8 * channel))
                }
            }
        }
    }

    // MARK: - Forms

    private func checkBlocks(_ limits: ImageLimits) throws(ImageFault) {
        let readCompressions = [
            COMPRESSION_NONE, COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4, COMPRESSION_LZW,
            COMPRESSION_JPEG, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_DEFLATE, COMPRESSION_PACKBITS, COMPRESSION_LZMA,
            COMPRESSION_ZSTD, COMPRESSION_WEBP,
        ]
        guard readCompressions.contains(Int32(header.compression)), header.is_decompressible else {
            throw .unread(
                "uses compression \(header.compression), which is not supported; save it with LZW or Deflate")
        }
        // A tile may be larger than the image that it is a part of, and is decoded whole.
        let (pixels, overflows) = Int(header.block_width).multipliedReportingOverflow(by: Int(header.block_height))
        guard !overflows && pixels <= max(limits.maximumPixels, 1 << 16) else {
            throw .unread(
                "has tiles of \(header.block_width)×\(header.block_height) pixels, more than the "
                    + "\(limits.maximumPixels) allowed; save it with smaller ones")
        }
        // libvips looks at all of them, though the first alone is decoded.
        guard header.pages <= Self.mostPages else {
            throw .unread("has \(header.pages) pages, more than the \(Self.mostPages) supported; split it")
        }
    }

    private func checkSamples() throws(ImageFault) {
        guard isRead else {
            throw .unread(
                "stores pixels of \(header.samples) × \(header.bits) bits (sample format \(header.sample_format), "
                    + "photometric interpretation \(header.photometric)), which cannot be read as RGB; save it as 8-bit RGB"
            )
        }
        guard header.is_planar && header.samples > 1 else { return }
        // libvips mixes up two planes, and more than four; it does not read tiles of them.
        let planar = [PHOTOMETRIC_RGB, PHOTOMETRIC_SEPARATED, PHOTOMETRIC_YCBCR]
        guard planar.contains(Int32(header.photometric)), header.samples <= 4, !header.is_tiled,
            !(header.isYCbCr && header.isJPEG)
        else {
            throw .unread("stores its samples in unsupported separate planes; save it with interleaved samples")
        }
    }

    /// Whether Pillow reads such samples. Its table of them is `OPEN_INFO`.
    private var isRead: Bool {
        let isUnsigned = header.sample_format == SAMPLEFORMAT_UINT
        let extra = header.extraSamples
        switch Int32(header.photometric) {
        case PHOTOMETRIC_MINISWHITE, PHOTOMETRIC_MINISBLACK:
            let isBlackZero = header.photometric == PHOTOMETRIC_MINISBLACK
            if header.samples == 2 {
                return isBlackZero && isUnsigned && header.bits == 8 && [[0], [2]].contains(extra)
            }
            guard header.samples == 1 else { return false }
            return switch Int32(header.sample_format) {
            case SAMPLEFORMAT_UINT: [1, 2, 4, 8, 16].contains(header.bits) || (isBlackZero && header.bits == 32)
            case SAMPLEFORMAT_INT: isBlackZero && [16, 32].contains(header.bits)
            case SAMPLEFORMAT_IEEEFP: header.bits == 32
            default: false
            }
        case PHOTOMETRIC_PALETTE:
            return isUnsigned
                && (header.samples == 1 && [1, 2, 4, 8].contains(header.bits)
                    || header.samples == 2 && header.bits == 8 && [[0], [2]].contains(extra))
        case PHOTOMETRIC_RGB:
            guard isUnsigned, [3, 4].contains(header.samples) || header.samples <= 6 && header.bits == 8 else {
                return false
            }
            // Colors that are multiplied by alpha are divided by it where they have 8 bits.
            return (header.bits == 8 || header.bits == 16 && extra.first != 1)
                && (extra.count == Int(header.samples) - 3 || header.samples == 4 && extra.isEmpty)
                && extra.dropFirst().allSatisfy { $0 == 0 }
        case PHOTOMETRIC_SEPARATED:
            return isUnsigned && extra.allSatisfy { $0 == 0 } && extra.count == Int(header.samples) - 4
                && (header.bits == 8 || header.bits == 16 && header.samples == 4)
        case PHOTOMETRIC_YCBCR: return isUnsigned && header.bits == 8 && header.samples == 3
        default: return false
        }
    }
}

extension tiff_seam_header {
    fileprivate var isYCbCr: Bool { photometric == PHOTOMETRIC_YCBCR }
    fileprivate var isJPEG: Bool { compression == COMPRESSION_JPEG }
    fileprivate var isSubsampled: Bool { subsampling.0 != 1 || subsampling.1 != 1 }

    /// The kinds of the first three extra samples: 0 for anything, 1 for alpha that colors are multiplied by, 2 for
    /// alpha.
    fileprivate var extraSamples: [UInt16] {
        Array([extra_samples.0, extra_samples.1, extra_samples.2].prefix(Int(extra_sample_count)))
    }
}
