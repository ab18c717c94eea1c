import ConcordCore
import ConcordMedia
import Foundation
import Testing

/// The forms in which files store pixels: color spaces, compressions, sample formats, layouts. Each is read as Pillow reads
/// it, to the last bit, or refused with a reason. scripts/golden/make_media_forms.py writes the files.
struct StoredFormTests {
    struct Form: Sendable {
        let name: String
        let bytes: ArraySlice<UInt8>
        /// Nil where Pillow reads no RGB.
        let expected: Image?
    }

    static let forms: [Form] = {
        do {
            return try readForms()
        } catch {
            fatalError("the golden files do not load: \(error); run scripts/golden/make_media_forms.py")
        }
    }()

    /// The files, and their pixels after them, are the values of the pixels of a PNG.
    private static func readForms() throws -> [Form] {
        let index = try JSONValue(parsing: Files.read(Golden.folder + "/forms.json"), source: "forms.json")
        let values = try Image(contentsOf: Golden.folder + "/forms.png").pixels
        let pixels = try #require(index["files"]?.int)
        var start = 0
        return try #require(index["forms"]?.elements).map { form in
            let entry = try #require(form.elements)
            let (name, count) = (try #require(entry[0].string), try #require(entry[1].int))
            defer { start += count }
            var expected: Image?
            if entry.count > 2 {
                let place = try entry[2...].map { try #require($0.int) }
                let (first, width, height) = (pixels + place[0], place[1], place[2])
                expected = Image(
                    width: width, height: height, pixels: [UInt8](values[first..<(first + width * height * 3)]))
            }
            return Form(name: name, bytes: values[start..<(start + count)], expected: expected)
        }
    }

    /// What is refused, and words of the reason; all else is equal. `*` stands for any text, and the first line counts.
    private static let refused = """
        tiff/lab/*: photometric interpretation 8)
        tiff/icc-lab/*: photometric interpretation 9)
        tiff/itu-lab/*: photometric interpretation 10)
        tiff/mask: photometric interpretation 4)
        tiff/color-filter-array: photometric interpretation 32803)
        tiff/linear-raw: photometric interpretation 34892)
        tiff/log-l*: photometric interpretation 3284
        tiff/separated-three/*: 3 × 8 bits
        tiff/cmyk-alpha/*: 5 × 8 bits
        tiff/ycbcr-alpha/*tiled*: 4 × 8 bits
        tiff/ycbcr-alpha/planar*: 4 × 8 bits
        tiff/ycbcr-alpha/*: damaged or truncated
        tiff/grey-associated-alpha/*: pixels of 2 ×
        tiff/grey-two-samples/*: 2 × 8 bits
        tiff/palette/12-bit*: damaged or truncated
        tiff/palette/*16-bit*: damaged or truncated
        tiff/palette/half-float*: damaged or truncated
        tiff/*/12-bit*: × 12 bits
        tiff/*/64-bit*: × 64 bits
        tiff/*/half-float*: sample format 3
        tiff/*/double*: sample format 3
        tiff/*/undefined-*: sample format 4
        tiff/*/signed-8-bit*: sample format 2
        tiff/grey/complex: sample format 6
        tiff/grey/mixed-depths: damaged or truncated
        tiff/white-is-zero/32-bit*: 1 × 32 bits
        tiff/white-is-zero/signed-*: sample format 2
        tiff/grey-alpha/16-bit*: 2 × 16 bits
        tiff/grey-alpha/32-bit*: 2 × 32 bits
        tiff/grey-alpha/signed-*: sample format 2
        tiff/grey-alpha/float*: sample format 3
        tiff/rgb-associated-alpha/16-bit*: 4 × 16 bits
        tiff/rgb*/32-bit*: × 32 bits
        tiff/rgb*/signed-*: sample format 2
        tiff/rgb*/float*: sample format 3
        tiff/cmyk/32-bit*: 4 × 32 bits
        tiff/cmyk/signed-*: sample format 2
        tiff/cmyk/float*: sample format 3
        tiff/ycbcr/16-bit*: 3 × 16 bits
        tiff/ycbcr/32-bit*: 3 × 32 bits
        tiff/ycbcr/signed-*: sample format 2
        tiff/ycbcr/float*: sample format 3
        tiff/grey-alpha/planar*: separate planes
        tiff/grey-unspecified/planar*: separate planes
        tiff/palette-alpha/planar*: separate planes
        tiff/cmyk-unspecified/planar*: separate planes
        tiff/rgb-five-samples/planar*: separate planes
        tiff/*/planar-tiled*: separate planes
        tiff/*/old-jpeg: uses compression 6,
        tiff/rgb/jpeg-2000: uses compression 34712,
        tiff/rgb/unknown-compression: uses compression 12345,
        png/huge: 30000×30000 pixels
        jpeg/12-bit: 12 bits per sample
        jpeg/lossless*: lossless or hierarchical
        jpeg/jpeg-ls: lossless or hierarchical
        gif/no-palette: has no palette
        bmp/2-bit: 2 bits per pixel
        bmp/bitfields-10-bit-*: bit masks
        bmp/bitfields-444*: bit masks
        bmp/bitfields-rgba-40: bit masks
        bmp/jpeg: compression 4,
        bmp/png: compression 5,
        bmp/rle-*-moves: damaged or truncated
        bmp/rle-*-short: damaged or truncated
        tga/1-bit: 1 bits per pixel
        ppm/negative-plain: damaged or truncated
        ppm/value-above-most-plain: damaged or truncated
        other/pfm*: is a PFM image
        other/pam: is a PAM image
        jp2/cmyk: neither sRGB nor gray
        jp2/ycc: neither sRGB nor gray
        jp2/five-jp2: neither sRGB nor gray
        jp2/five-j2k: 5 components
        jp2/signed-*: signed
        jp2/offset: grid's origin
        avif/lie: damaged or truncated
        jxl/huge: 9000×9000 pixels
        """.split(separator: "\n").map { line in
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            return (forms: String(line[..<colon]), reason: String(line[colon...].dropFirst(2)))
        }

    /// Pillow's newer libavif makes of 10 and 12 bits what is up to 2 of 255 away from what Debian 12's does; Pillow reads
    /// no HEIC, and pillow-heif's newer libheif rounds chroma otherwise.
    private static let tolerances = ["avif/10-bit": 2, "avif/12-bit": 2, "heic/420": 1]

    private static func reasonToRefuse(_ name: String) -> String? {
        refused.first { pattern, _ in
            let parts = pattern.split(separator: "*", omittingEmptySubsequences: false).map(String.init)
            var rest = Substring(name)
            guard rest.hasPrefix(parts[0]), rest.hasSuffix(parts[parts.count - 1]) else { return false }
            for part in parts {
                if part.isEmpty { continue }
                guard let range = rest.range(of: part) else { return false }
                rest = rest[range.upperBound...]
            }
            return true
        }?.reason
    }

    @Test(arguments: ImageFormat.allCases.map(\.rawValue) + ["other"])
    func equalsPillowOrIsRefused(_ group: String) {
        let forms = Self.forms.filter { $0.name.hasPrefix(group + "/") }
        #expect(!forms.isEmpty)
        for form in forms {
            let reason = Self.reasonToRefuse(form.name)
            do {
                let image = try Image(decoding: [UInt8](form.bytes), name: form.name)
                guard reason == nil, let expected = form.expected else {
                    Issue.record("\(form.name) is read; refused should be: \(reason ?? "what Pillow does not read")")
                    continue
                }
                #expect(Self.distance(image, expected) <= Self.tolerances[form.name] ?? 0, "\(form.name)")
            } catch {
                guard let reason else {
                    Issue.record("\(form.name) is refused: \(error.message)")
                    continue
                }
                #expect(error.code == .invalidImage && error.message.contains(reason), "\(error.message)")
            }
        }
    }

    /// The largest difference of two values; 256 where the sizes differ.
    private static func distance(_ image: Image, _ other: Image) -> Int {
        guard image.width == other.width && image.height == other.height else { return 256 }
        return zip(image.pixels, other.pixels).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) }
    }
}
