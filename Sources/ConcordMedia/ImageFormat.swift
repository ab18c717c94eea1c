import CVips

/// A file format that is decoded, known by its first bytes: names and extensions are not trusted.
enum ImageFormat: String {
    case jpeg = "JPEG"
    case png = "PNG"
    case webp = "WebP"
    case gif = "GIF"
    case tiff = "TIFF"

    init?(_ bytes: UnsafeRawBufferPointer) {
        func starts(_ magic: [UInt8], at offset: Int = 0) -> Bool {
            bytes.count >= offset + magic.count && bytes[offset..<(offset + magic.count)].elementsEqual(magic)
        }
        if starts([0xFF, 0xD8, 0xFF]) {
            self = .jpeg
        } else if starts([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            self = .png
        } else if starts(Array("RIFF".utf8)) && starts(Array("WEBP".utf8), at: 8) {
            self = .webp
        } else if starts(Array("GIF87a".utf8)) || starts(Array("GIF89a".utf8)) {
            self = .gif
        } else if starts([0x49, 0x49, 0x2A, 0x00]) || starts([0x4D, 0x4D, 0x00, 0x2A]) {
            self = .tiff
        } else {
            return nil
        }
    }

    var loader: vips_seam_format {
        switch self {
        case .jpeg: VIPS_SEAM_JPEG
        case .png: VIPS_SEAM_PNG
        case .webp: VIPS_SEAM_WEBP
        case .gif: VIPS_SEAM_GIF
        case .tiff: VIPS_SEAM_TIFF
        }
    }
}

/// Where the first frame of a GIF says that one palette entry is transparent: the offset of the byte whose lowest
/// bit is that flag, or nil. Follows the GIF89a specification, sections 18–26.
func transparencyFlag(ofGIF bytes: UnsafeRawBufferPointer) -> Int? {
    guard bytes.count > 13 else { return nil }
    var offset = 13 + (bytes[10] & 0x80 != 0 ? 3 << (Int(bytes[10] & 7) + 1) : 0)
    // Extension blocks until the first image descriptor (0x2C) or the trailer.
    while offset + 3 < bytes.count, bytes[offset] == 0x21 {
        if bytes[offset + 1] == 0xF9 && bytes[offset + 2] >= 4 {
            if bytes[offset + 3] & 1 != 0 { return offset + 3 }
        }
        offset += 2
        while offset < bytes.count, bytes[offset] != 0 { offset += Int(bytes[offset]) + 1 }
        offset += 1
    }
    return nil
}
