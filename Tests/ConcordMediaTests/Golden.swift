import ConcordCore
import ConcordMedia
import Foundation

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

    struct Colour: Sendable, CustomStringConvertible {
        let name: String
        let kind: String
        let factor: Double
        var description: String { name }
    }

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Golden/media").path
    static let shared = try! Golden()

    let crop: Int
    let images: [String]
    let resizes: [Resize]
    let colours: [Colour]
    private let arrays: [String: JSONValue]
    private let values: [UInt8]

    private init() throws {
        let index = try JSONValue(parsing: Files.read(Self.folder + "/expected.json"), source: "expected.json")
        values = try Files.read(Self.folder + "/expected.bin")
        crop = index["crop"]!.int!
        images = index["images"]!.elements!.map { $0.string! }
        arrays = Dictionary(uniqueKeysWithValues: index["arrays"]!.members!.map { ($0.name, $0.value) })
        let filters: [String: ResampleFilter] = [
            "nearest": .nearest, "lanczos": .lanczos, "bilinear": .bilinear, "bicubic": .bicubic, "box": .box,
        ]
        resizes = index["resizes"]!.elements!.map { entry in
            let box = entry["box"]!.elements?.map { Float($0.double!) }
            return Resize(
                name: entry["name"]!.string!, filter: filters[entry["filter"]!.string!]!, width: entry["width"]!.int!,
                height: entry["height"]!.int!,
                box: box.map { Image.Box(left: $0[0], top: $0[1], right: $0[2], bottom: $0[3]) })
        }
        colours = index["colours"]!.elements!.map {
            Colour(name: $0["name"]!.string!, kind: $0["kind"]!.string!, factor: $0["factor"]!.double!)
        }
    }

    func path(_ image: String) -> String { Self.folder + "/images/" + image }

    func has(_ name: String) -> Bool { arrays[name] != nil }

    /// The bytes of an array, and its shape.
    private func bytes(_ name: String, size: Int) -> (ArraySlice<UInt8>, [Int]) {
        let array = arrays[name]!
        let shape = array["shape"]!.elements!.map { $0.int! }
        let offset = array["offset"]!.int!
        return (values[offset..<(offset + shape.reduce(size, *))], shape)
    }

    func image(_ name: String) -> Image {
        let (bytes, shape) = bytes(name, size: 1)
        return Image(width: shape[1], height: shape[0], pixels: [UInt8](bytes))
    }

    func floats(_ name: String) -> [Float] {
        let (bytes, _) = bytes(name, size: 4)
        return [UInt8](bytes).withUnsafeBytes { raw in
            stride(from: 0, to: raw.count, by: 4).map { raw.loadUnaligned(fromByteOffset: $0, as: Float.self) }
        }
    }
}
