import ConcordCore
import ConcordMedia
import Testing

/// Decoding, against Pillow: every pixel of every picture.
struct DecodingTests {
    static let golden = Golden.shared

    @Test(arguments: golden.images)
    func decodesAsPillow(_ name: String) throws {
        let image = try Image(contentsOf: Self.golden.path(name))
        expectEqual(image, Self.golden.image("decoded/\(name)"))
    }
}

/// Compares all pixels, and names the first that differ.
func expectEqual(_ image: Image, _ expected: Image, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(image.width == expected.width, sourceLocation: sourceLocation)
    #expect(image.height == expected.height, sourceLocation: sourceLocation)
    guard image.width == expected.width, image.height == expected.height, image != expected else { return }
    let different = image.pixels.indices.filter { image.pixels[$0] != expected.pixels[$0] }
    let largest = different.map { abs(Int(image.pixels[$0]) - Int(expected.pixels[$0])) }.max() ?? 0
    let first = different.first.map {
        "(\($0 / 3 % image.width), \($0 / 3 / image.width)) channel \($0 % 3): \(image.pixels[$0]), expected "
            + "\(expected.pixels[$0])"
    }
    Issue.record(
        "\(different.count) of \(image.pixels.count) bytes differ, by up to \(largest); first at \(first ?? "")",
        sourceLocation: sourceLocation)
}
