import ConcordCore
import ConcordMedia
import ConcordTestSupport
import Foundation
import Testing

/// Files that are no usable image: each is a typed error that names the file and says what to do.
struct DamagedImageTests {
    static let golden = Golden.shared

    private func expectRefused(
        _ bytes: [UInt8], saying text: String, limits: ImageLimits = .standard,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(sourceLocation: sourceLocation) {
            try Image(decoding: bytes, name: "some/image", limits: limits)
        } throws: { error in
            guard let error = error as? ConcordError else { return false }
            return error.code == .invalidImage && error.message.contains("some/image")
                && error.message.contains(text)
        }
    }

    private func bytes(_ name: String) throws -> [UInt8] { try Files.read(Self.golden.path(name)) }

    @Test(arguments: golden.images.filter { !$0.contains("1x1") && !$0.hasPrefix("tiny") })
    func truncatedAtAnyPoint(_ name: String) throws {
        let whole = try bytes(name)
        for fraction in [0.1, 0.3, 0.5, 0.7, 0.9] {
            // Cut anywhere, a file is refused or (a TIFF whose tail is padding) still gives all of its pixels.
            let cut = [UInt8](whole.prefix(Int(Double(whole.count) * fraction)))
            do {
                let image = try Image(decoding: cut, name: "some/image")
                expectEqual(image, try Self.golden.image("decoded/\(name)"))
            } catch {
                #expect(error is ConcordError)
            }
        }
    }

    @Test(arguments: ["jpeg-420.jpg", "jpeg-progressive.jpg", "jpeg-cmyk.jpg", "jpeg-grey.jpg", "png-rgba.png"])
    func truncatedFile(_ name: String) throws {
        let whole = try bytes(name)
        for count in [whole.count / 2, whole.count * 3 / 4, whole.count - 40] {
            expectRefused([UInt8](whole.prefix(count)), saying: "damaged or truncated")
        }
    }

    @Test(arguments: ["jpeg-420.jpg", "jpeg-progressive.jpg", "jpeg-444.jpg"])
    func jpegWhoseHeightIsALie(_ name: String) throws {
        // Pixel data for a third of what the header says, but a proper end: libjpeg would fill the rest with gray.
        var bytes = try bytes(name)
        let frame = try #require(
            bytes.indices.dropLast(9).first { bytes[$0] == 0xFF && (bytes[$0 + 1] == 0xC0 || bytes[$0 + 1] == 0xC2) })
        bytes[frame + 6] = bytes[frame + 6] &* 3
        expectRefused(bytes, saying: "damaged or truncated")
    }

    @Test(arguments: ["jpeg-420.jpg", "jpeg-444.jpg", "jpeg-grey.jpg", "exif-3.jpg"])
    func jpegWhoseScanEndsEarly(_ name: String) throws {
        let bytes = try bytes(name)
        let scan = try #require(bytes.indices.dropLast().last { bytes[$0] == 0xFF && bytes[$0 + 1] == 0xDA })
        expectRefused(bytes[..<(scan + (bytes.count - scan) / 2)] + [0xFF, 0xD9], saying: "damaged or truncated")
    }

    @Test func jpegWithStrayBytesBetweenSegmentsIsAccepted() throws {
        // Common in the wild, and harmless: the header's warnings must not count as damage.
        var bytes = try bytes("jpeg-420.jpg")
        bytes.insert(contentsOf: [0, 0, 0], at: 2 + 2 + Int(bytes[4]) * 256 + Int(bytes[5]))
        expectEqual(
            try Image(decoding: bytes, name: "stray bytes"), try Self.golden.image("decoded/jpeg-420.jpg"))
        #expect(try Image(decoding: bytes, name: "stray bytes", shrinkFor: 10).width == 19)
    }

    @Test func pngWhoseSizeIsALie() throws {
        var bytes = try bytes("png-rgba.png")
        bytes[19] = 200
        expectRefused(bytes, saying: "damaged or truncated")
    }

    @Test func pngWhoseChunkLengthIsALie() throws {
        var bytes = try bytes("png-rgba.png")
        let chunk = try #require(bytes.indices.dropLast(4).first { Array(bytes[$0..<($0 + 4)]) == Array("IDAT".utf8) })
        bytes[chunk - 1] ^= 0x55
        expectRefused(bytes, saying: "damaged or truncated")
    }

    @Test func pngWithFlippedBits() throws {
        var bytes = try bytes("png-rgba.png")
        bytes[bytes.count / 2] ^= 0x10
        expectRefused(bytes, saying: "damaged or truncated")
    }

    @Test func hugePNGIsRefusedBeforeItIsDecoded() throws {
        // 30,000 × 30,000 pixels in 109 kB: 2.7 GB if it were decoded.
        let bytes = [UInt8](try #require(StoredFormTests.forms.first { $0.name == "png/huge" }).bytes)
        #expect(bytes.count < 120_000)
        expectRefused(bytes, saying: "30000×30000")
    }

    @Test func moreBytesThanAllowed() throws {
        let path = Self.golden.path("png-rgba.png")
        let limits = ImageLimits(maximumBytes: 100)
        expectRefused(try bytes("png-rgba.png"), saying: "100 allowed", limits: limits)
        #expect(throws: ConcordError.self) { try Image(contentsOf: path, limits: limits) }
    }

    @Test func morePixelsThanAllowed() throws {
        expectRefused(
            try bytes("png-rgba.png"), saying: "40×36", limits: ImageLimits(maximumPixels: 40 * 36 - 1))
        #expect(
            try Image(decoding: bytes("png-rgba.png"), name: "", limits: ImageLimits(maximumPixels: 40 * 36)).width
                == 40)
    }

    @Test func jpegOfThousandsOfScans() throws {
        // The last scan again and again: few bytes, and a whole decode for each.
        let bytes = try bytes("jpeg-progressive.jpg")
        let scan = try #require(bytes.indices.dropLast().last { bytes[$0] == 0xFF && bytes[$0 + 1] == 0xDA })
        let end = try #require(bytes.indices.dropLast().last { bytes[$0] == 0xFF && bytes[$0 + 1] == 0xD9 })
        var bomb = [UInt8](bytes[..<end])
        for _ in 0..<100 { bomb += bytes[scan..<end] }
        expectRefused(bomb + [0xFF, 0xD9], saying: "more than 100 scans")
    }

    @Test func emptyFile() { expectRefused([], saying: "is empty") }

    @Test func textFileNamedAsAnImage() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/notes.jpg"
        try Files.replace(path, with: "not an image at all")
        #expect {
            try Image(contentsOf: path)
        } throws: { error in
            (error as? ConcordError)?.message.contains("\(path) is not an image in a supported format") == true
        }
    }

    @Test func wrongExtensionIsNoProblem() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/really-a-png.jpg"
        try Files.replace(path, with: bytes("png-rgba.png"))
        expectEqual(try Image(contentsOf: path), try Self.golden.image("decoded/png-rgba.png"))
    }

    @Test func folderAndMissingFile() throws {
        let folder = try TemporaryFolder()
        for path in [folder.path, folder.path + "/missing.png"] {
            #expect {
                try Image(contentsOf: path)
            } throws: { error in
                (error as? ConcordError)?.code == .fileSystem && "\(error)".contains(path)
            }
        }
    }

    @Test(arguments: golden.images.filter { !$0.hasPrefix("margin") })
    func randomDamageNeverTraps(_ name: String) throws {
        let whole = try bytes(name)
        var random = RandomSource(seed: 7)
        for _ in 0..<20 {
            var damaged = whole
            for _ in 0..<4 { damaged[random.index(below: damaged.count)] = UInt8.random(in: 0...255, using: &random) }
            _ = try? Image(decoding: damaged, name: name, limits: ImageLimits(maximumPixels: 1_000_000))
        }
    }
}
