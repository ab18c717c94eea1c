import ConcordCore
import ConcordMedia
import Foundation
import Testing

/// The golden files that scripts/golden/make_media.py wrote.
struct Golden {
    struct Resize: Sendable, CustomStringConvertible {
        let name: String
        let filter: ResampleFilter
        let width: Int
        let height: Int
        let box: Image.Box?
        var description: String { name }
    }

    struct Color: Sendable, CustomStringConvertible {
        let name: String
        let kind: String
        let factor: Double
        var description: String { name }
    }

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Golden/media").path

    static let shared: Golden = {
        do {
            return try Golden()
        } catch {
            fatalError("the golden files do not load: \(error); run scripts/golden/make_media.py")
        }
    }()

    let crop: Int
    let images: [String]
    let resizes: [Resize]
    let colors: [Color]
    private let arrays: [String: JSONValue]
    private let values: [UInt8]

    private init() throws {
        let index = try JSONValue(parsing: Files.read(Self.folder + "/expected.json"), source: "expected.json")
        values = try Image(contentsOf: Self.folder + "/expected.png").pixels
        crop = try #require(index["crop"]?.int)
        images = try #require(index["images"]?.elements).map { try #require($0.string) }
        arrays = Dictionary(
            uniqueKeysWithValues: try #require(index["arrays"]?.members).map { ($0.name, $0.value) })
        let filters: [String: ResampleFilter] = [
            "nearest": .nearest, "lanczos": .lanczos, "bilinear": .bilinear, "bicubic": .bicubic, "box": .box,
        ]
        resizes = try #require(index["resizes"]?.elements).map { entry in
            let box = entry["box"]?.elements?.compactMap { $0.double.map(Float.init) }
            return Resize(
                name: try #require(entry["name"]?.string),
                filter: try #require(entry["filter"]?.string.flatMap { filters[$0] }),
                width: try #require(entry["width"]?.int), height: try #require(entry["height"]?.int),
                box: box.map { Image.Box(left: $0[0], top: $0[1], right: $0[2], bottom: $0[3]) })
        }
        colors = try #require(index["colours"]?.elements).map {
            Color(
                name: try #require($0["name"]?.string), kind: try #require($0["kind"]?.string),
                factor: try #require($0["factor"]?.double))
        }
    }

    func path(_ image: String) -> String { Self.folder + "/images/" + image }

    func has(_ name: String) -> Bool { arrays[name] != nil }

    /// The bytes of an array, and its shape.
    private func bytes(_ name: String, size: Int) throws -> (ArraySlice<UInt8>, [Int]) {
        let array = try #require(arrays[name])
        let shape = try #require(array["shape"]?.elements).map { try #require($0.int) }
        let offset = try #require(array["offset"]?.int)
        return (values[offset..<(offset + shape.reduce(size, *))], shape)
    }

    func image(_ name: String) throws -> Image {
        let (bytes, shape) = try bytes(name, size: 1)
        return Image(width: shape[1], height: shape[0], pixels: [UInt8](bytes))
    }

    func floats(_ name: String) throws -> [Float] {
        let (bytes, _) = try bytes(name, size: 4)
        return [UInt8](bytes).withUnsafeBytes { raw in
            stride(from: 0, to: raw.count, by: 4).map { raw.loadUnaligned(fromByteOffset: $0, as: Float.self) }
        }
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
