import ConcordCore
import ConcordMedia
import ConcordTestSupport
import Foundation
import Testing

/// Formats are told by their bytes, refused by name where they are not asked for, and held to the limits unread.
struct ImageFormatTests {
    static let further: [ImageFormat] = [.tiff, .bmp, .avif, .heic, .jpeg2000, .jpegXL, .netpbm, .tga]

    private func forms(_ format: ImageFormat) -> [StoredFormTests.Form] {
        StoredFormTests.forms.filter { $0.name.hasPrefix(format.rawValue + "/") }
    }

    private func message(_ bytes: [UInt8], _ limits: ImageLimits = .standard) -> String {
        do {
            let image = try Image(decoding: bytes, name: "some/image", limits: limits)
            return "decoded \(image.width)×\(image.height)"
        } catch {
            #expect(error.code == .invalidImage && error.message.contains("the image some/image"))
            return error.message
        }
    }

    @Test(arguments: ImageFormat.allCases)
    func bytesTellTheFormat(_ format: ImageFormat) {
        #expect(!forms(format).isEmpty)
        for form in forms(format) {
            #expect(form.bytes.withUnsafeBytes { ImageFormat(of: $0) } == format, "\(form.name)")
        }
    }

    @Test(arguments: further)
    func whatIsNotAskedForIsNamed(_ format: ImageFormat) throws {
        let form = try #require(forms(format).first { $0.expected != nil })
        let limits = ImageLimits(formats: ImageFormat.web)
        let message = message([UInt8](form.bytes), limits)
        #expect(message.contains("is in the format \(format.name)"), "\(message)")
        #expect(message.contains("JPEG, PNG, WebP, GIF") && message.contains("convert it"), "\(message)")
        #expect(throws: ConcordError.self) {
            try form.bytes.withUnsafeBytes { try ImageHeader(of: $0, name: "some/image", limits: limits) }
        }
        _ = try Image(decoding: [UInt8](form.bytes), name: "", limits: ImageLimits(formats: [format]))
    }

    @Test(arguments: [
        ("8BPS", "a Photoshop document"), ("%PDF-1.4", "a PDF document"), ("<?xml?><svg>", "an SVG drawing"),
        ("<!DOCTYPE html>", "a web page"), ("P7\nWIDTH 3", "a PAM image"), ("PF 3 3 -1\n", "a PFM image"),
        ("qoif", "a QOI image"), ("version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        ("\0\0\0\u{18}ftypisom\0\0\0\0isommp42", "an MP4 or QuickTime file"), ("RIFF1234AVI ", "a sound or video file"),
        ("BM and more text than a header has", "a BMP image of an unknown version"),
        ("hello", "is not an image in a supported format"),
    ])
    func otherFilesAreNamed(_ text: String, _ expected: String) {
        let message = message(Array(text.utf8))
        #expect(
            message.contains(expected) && message.contains("JPEG, PNG") && message.contains("convert it"), "\(message)")
    }

    // MARK: - Limits

    /// A small file of each format whose header announces 60,000 × 50,000 pixels, or as many as the format can.
    private func huge(_ format: ImageFormat) throws -> (bytes: [UInt8], size: String) {
        func patched(_ name: String, _ offsets: [(Int, [UInt8])]) throws -> [UInt8] {
            var bytes = [UInt8](try #require(StoredFormTests.forms.first { $0.name == name }).bytes)
            for (offset, values) in offsets { bytes.replaceSubrange(offset..<(offset + values.count), with: values) }
            return bytes
        }
        func offset(_ name: String, _ box: String) throws -> Int {
            let bytes = try #require(StoredFormTests.forms.first { $0.name == name }).bytes
            let found = try #require(Data(bytes).range(of: Data(box.utf8)))
            return found.upperBound
        }
        // 60,000 is EA60, 50,000 is C350.
        let sides: [UInt8] = [0, 0, 0xEA, 0x60, 0, 0, 0xC3, 0x50]
        switch format {
        case .bmp: return (try patched("bmp/24-bit", [(18, [0x60, 0xEA, 0, 0, 0x50, 0xC3, 0, 0])]), "60000×50000")
        case .tga: return (try patched("tga/24-bit-flags-00", [(12, [0x60, 0xEA, 0x50, 0xC3])]), "60000×50000")
        case .netpbm: return (Array("P6 60000 50000 255\nabc".utf8), "60000×50000")
        case .tiff:
            let name = "tiff/rgb/deflate"
            let tags: [UInt8] = [0, 1, 4, 0, 1, 0, 0, 0]
            let found = try #require(Data(try patched(name, [])).range(of: Data(tags))).upperBound
            return (
                try patched(name, [(found, [0x60, 0xEA, 0, 0]), (found + 12, [0x50, 0xC3, 0, 0])]), "60000×50000"
            )
        case .jpeg2000:
            // The codestream alone: after its SIZ marker come a length and the capabilities.
            return (try patched("jp2/rgb-codestream", [(8, sides), (24, sides)]), "60000×50000")
        case .avif:
            let name = "avif/444-full"
            // libavif reads no more than 2²⁸ pixels, whatever the limit: 16,000 × 16,000 are within that.
            let small: [UInt8] = [0, 0, 0x3E, 0x80, 0, 0, 0x3E, 0x80]
            return (try patched(name, [(try offset(name, "ispe") + 4, small)]), "16000×16000")
        case .heic:
            let small: [UInt8] = [0, 0, 0x3E, 0x80, 0, 0, 0x3E, 0x80]
            return (try patched("heic/444", [(try offset("heic/444", "ispe") + 4, small)]), "16000×16000")
        case .jpegXL: return (try patched("jxl/huge", []), "9000×9000")
        case .jpeg, .png, .webp, .gif: preconditionFailure("\(format) is tested elsewhere")
        }
    }

    @Test(arguments: further)
    func hugeImagesAreRefusedUnread(_ format: ImageFormat) throws {
        let (bytes, size) = try huge(format)
        #expect(bytes.count < 20_000)
        let message = message(bytes)
        #expect(message.contains("has \(size) pixels"), "\(message)")
        let header = #expect(throws: ConcordError.self) {
            try bytes.withUnsafeBytes { try ImageHeader(of: $0, name: "some/image") }
        }
        #expect(header?.message.contains(size) == true)
    }

    /// The box of this file announces 64 × 64 pixels, and its AV1 stream 9,000 × 9,000, which take 1.6 GB to decode.
    @Test func aStreamLargerThanItsBoxIsRefused() throws {
        let form = try #require(StoredFormTests.forms.first { $0.name == "avif/lie" })
        let limits = ImageLimits(maximumPixels: 1_000_000)
        #expect(message([UInt8](form.bytes), limits).contains("damaged or truncated AVIF"))
    }

    @Test func tilesLargerThanAllowedAreRefused() throws {
        // 16 × 16 pixels of a tile of 60,000 × 60,000.
        var bytes = [UInt8](try #require(StoredFormTests.forms.first { $0.name == "tiff/rgb/tiled-deflate" }).bytes)
        let tag = try #require(Data(bytes).range(of: Data([0x42, 1, 4, 0, 1, 0, 0, 0]))).upperBound
        for offset in [tag, tag + 12] { bytes.replaceSubrange(offset..<(offset + 2), with: [0x60, 0xEA]) }
        #expect(message(bytes).contains("tiles of 60000×60000 pixels"))
    }

    @Test func thousandsOfPagesOrTilesAreRefused() throws {
        // One directory after the other, each of the same image.
        let page = [UInt8](try #require(StoredFormTests.forms.first { $0.name == "tiff/grey/none" }).bytes)
        let count = Int(page[8]) | Int(page[9]) << 8
        let directory = page[8..<(10 + 12 * count)]
        var bytes = page
        func number(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
        bytes.replaceSubrange((10 + 12 * count)..<(14 + 12 * count), with: number(bytes.count))
        for index in 0..<10_000 {
            bytes += directory + number(index == 9_999 ? 0 : bytes.count + directory.count + 4)
        }
        #expect(message(bytes).contains("has 10001 pages"))

        // Tiles of one pixel: libvips takes 40 s for 40,000 of them.
        var tiled = [UInt8](try #require(StoredFormTests.forms.first { $0.name == "jp2/rgb-codestream" }).bytes)
        tiled.replaceSubrange(8..<16, with: [0, 0, 0, 200, 0, 0, 0, 200])
        tiled.replaceSubrange(24..<32, with: [0, 0, 0, 1, 0, 0, 0, 1])
        #expect(message(tiled).contains("has 40000 tiles"))
    }

    @Test(arguments: further)
    func moreBytesThanAllowed(_ format: ImageFormat) throws {
        let form = try #require(forms(format).first)
        #expect(message([UInt8](form.bytes), ImageLimits(maximumBytes: 20)).contains("20 allowed"))
    }

    // MARK: - Damage

    /// Cut anywhere, a file is refused, or (where its tail is padding or metadata) still gives all of its pixels.
    @Test(arguments: further)
    func truncatedFilesAreRefused(_ format: ImageFormat) throws {
        for form in forms(format) {
            guard let expected = form.expected else { continue }
            let whole = [UInt8](form.bytes)
            let isRead = (try? Image(decoding: whole, name: form.name)) != nil
            for fraction in [0.2, 0.5, 0.8, 0.95] where isRead {
                let cut = [UInt8](whole.prefix(Int(Double(whole.count) * fraction)))
                do {
                    let image = try Image(decoding: cut, name: form.name)
                    #expect(image == expected, "\(form.name) cut to \(cut.count) of \(whole.count) bytes")
                } catch {
                    #expect(error.code == .invalidImage)
                }
            }
        }
    }

    @Test(arguments: further)
    func randomDamageNeverTraps(_ format: ImageFormat) throws {
        var random = RandomSource(seed: 11)
        for form in forms(format) where form.name != "jxl/huge" && form.name != "avif/lie" {
            for _ in 0..<6 {
                var damaged = [UInt8](form.bytes)
                for _ in 0..<3 {
                    damaged[random.index(below: min(damaged.count, 200))] = UInt8.random(in: 0...255, using: &random)
                    damaged[random.index(below: damaged.count)] = UInt8.random(in: 0...255, using: &random)
                }
                _ = try? Image(decoding: damaged, name: form.name, limits: ImageLimits(maximumPixels: 1_000_000))
            }
        }
    }
}
