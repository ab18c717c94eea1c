/// A file format that is decoded, known by its bytes: names and extensions are not trusted.
public enum ImageFormat: String, Sendable, Hashable, CaseIterable {
    case jpeg, png, webp, gif, tiff
    case bmp, avif, heic
    case jpeg2000 = "jp2"
    case jpegXL = "jxl"
    /// PBM, PGM and PPM, plain or binary.
    case netpbm = "ppm"
    case tga

    /// The formats of web pages, whose decoders are made for files from strangers.
    public static let web: Set<ImageFormat> = [.jpeg, .png, .webp, .gif]

    /// All formats.
    public static let all = Set(allCases)

    /// The name of the format for people.
    package var name: String {
        switch self {
        case .jpeg: "JPEG"
        case .png: "PNG"
        case .webp: "WebP"
        case .gif: "GIF"
        case .tiff: "TIFF"
        case .bmp: "BMP"
        case .avif: "AVIF"
        case .heic: "HEIC"
        case .jpeg2000: "JPEG 2000"
        case .jpegXL: "JPEG XL"
        case .netpbm: "PPM"
        case .tga: "TGA"
        }
    }

    /// The format of a whole file, or nil where it has none of these.
    package init?(of bytes: UnsafeRawBufferPointer) {
        let file = FileBytes(bytes: bytes)
        if file.starts([0xFF, 0xD8, 0xFF]) {
            self = .jpeg
        } else if file.starts([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            self = .png
        } else if file.starts("RIFF") && file.starts("WEBP", at: 8) {
            self = .webp
        } else if file.starts("GIF87a") || file.starts("GIF89a") {
            self = .gif
        } else if file.starts([0x49, 0x49, 0x2A, 0]) || file.starts([0x4D, 0x4D, 0, 0x2A])
            || file.starts([0x49, 0x49, 0x2B, 0, 8, 0, 0, 0]) || file.starts([0x4D, 0x4D, 0, 0x2B, 0, 8, 0, 0])
        {
            self = .tiff
        } else if file.starts("BM") && BMPImage.headerSizes.contains((try? file.littleEndian(14, count: 4)) ?? 0) {
            self = .bmp
        } else if let brands = Self.brands(file) {
            if !brands.isDisjoint(with: ["avif", "avis"]) {
                self = .avif
            } else if !brands.isDisjoint(with: ["heic", "heix", "heim", "heis", "hevc", "hevx"]) {
                self = .heic
            } else {
                return nil
            }
        } else if file.starts([0xFF, 0x4F, 0xFF, 0x51])
            || file.starts([0, 0, 0, 0x0C, 0x6A, 0x50, 0x20, 0x20, 0x0D, 0x0A, 0x87, 0x0A])
        {
            self = .jpeg2000
        } else if file.starts([0xFF, 0x0A])
            || file.starts([0, 0, 0, 0x0C, 0x4A, 0x58, 0x4C, 0x20, 0x0D, 0x0A, 0x87, 0x0A])
        {
            self = .jpegXL
        } else if NetpbmImage.isOne(file) {
            self = .netpbm
        } else if TGAImage.isOne(file) {
            self = .tga
        } else {
            return nil
        }
    }

    /// The brands of a file of boxes (ISO/IEC 14496-12), or nil where it is none.
    private static func brands(_ file: FileBytes) -> Set<String>? {
        guard file.starts("ftyp", at: 4), let size = try? file.bigEndian(0, count: 4),
            let box = try? file.range(8, count: min(size, 1024) - 8), box.count >= 4
        else { return nil }
        return Set(
            stride(from: 0, through: box.count - 4, by: 4).map { String(decoding: box[$0..<($0 + 4)], as: UTF8.self) })
    }

    /// The name of another kind of file; nil for one that is not known either.
    static func otherName(_ bytes: UnsafeRawBufferPointer) -> String? {
        let file = FileBytes(bytes: bytes)
        if let brands = brands(file) {
            if brands.contains("crx ") { return "a raw camera image" }
            return brands.isDisjoint(with: ["mif1", "msf1"])
                ? "an MP4 or QuickTime file" : "a HEIF file of another kind"
        }
        let start = String(decoding: bytes.prefix(400), as: UTF8.self).lowercased()
        if start.contains("<svg") { return "an SVG drawing" }
        if start.contains("<html") || start.contains("<!doctype html") {
            return "a web page, perhaps that of a failed download"
        }
        return others.first { file.starts($0.magic) }?.name
    }

    private static let others: [(magic: String, name: String)] = [
        ("8BPS", "a Photoshop document"), ("%PDF", "a PDF document"), ("%!PS", "a PostScript document"),
        ("BM", "a BMP image of an unknown version"), ("Pf", "a PFM image"), ("PF", "a PFM image"),
        ("P7", "a PAM image"), ("v/1\u{1}", "an OpenEXR image"), ("#?RADIANCE", "a Radiance HDR image"),
        ("qoif", "a QOI image"), ("DDS ", "a DDS texture"), ("SIMPLE  =", "a FITS image"),
        ("gimp xcf", "a GIMP image"), ("FUJIFILM", "a raw camera image"), ("IIU\0", "a raw camera image"),
        ("II\u{1A}\0\0\0HEAPCCDR", "a raw camera image"), ("\0\0\u{1}\0", "a Windows icon"),
        ("version https://git-lfs", "a Git LFS pointer (`git lfs pull` fetches the file itself)"),
        ("PK\u{3}\u{4}", "a ZIP archive"), ("\u{1F}", "a compressed file"), ("RIFF", "a sound or video file"),
    ]
}
