import ConcordCore
import ConcordMedia
import Foundation
import Testing

/// The golden files that scripts/golden/make_audio.py wrote.
struct AudioGolden {
    struct Case: Sendable, CustomStringConvertible {
        let name: String
        let count, number: Int
        let shape: [Int]
        let isLonger: Bool
        let frames: [Int]
        let sum, signed: Double
        let offset: Int
        var description: String { "\(name), \(count) samples" }
    }

    static let shared: AudioGolden = {
        do {
            return try AudioGolden()
        } catch {
            fatalError("the golden files do not load: \(error); run scripts/golden/make_audio.py")
        }
    }()

    let cases: [Case]
    let configs: [String: JSONValue]
    let draws: [Int]
    private let values: [Float]

    private init() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Golden/media").path
        let index = try JSONValue(contentsOf: folder + "/audio.json")
        values = try Files.read(folder + "/audio.bin").withUnsafeBytes { raw in
            stride(from: 0, to: raw.count, by: 4).map { raw.loadUnaligned(fromByteOffset: $0, as: Float.self) }
        }
        configs = Dictionary(
            uniqueKeysWithValues: try #require(index["configs"]?.members).map { ($0.name, $0.value) })
        draws = try #require(index["draws"]?.elements).compactMap(\.int)
        cases = try #require(index["cases"]?.elements).map { entry in
            Case(
                name: try #require(entry["name"]?.string), count: try #require(entry["count"]?.int),
                number: try #require(entry["number"]?.int),
                shape: try #require(entry["shape"]?.elements).compactMap(\.int),
                isLonger: try #require(entry["longer"]?.bool as Bool?),
                frames: try #require(entry["frames"]?.elements).compactMap(\.int),
                sum: try #require(entry["sum"]?.double), signed: try #require(entry["signed"]?.double),
                offset: try #require(entry["offset"]?.int))
        }
    }

    /// The frames that were kept, `[channels, frames, bins]`, and the mean of each band.
    func values(_ entry: Case) -> (frames: ArraySlice<Float>, means: ArraySlice<Float>) {
        let count = entry.shape[0] * entry.frames.count * entry.shape[2]
        return (
            values[entry.offset..<(entry.offset + count)],
            values[(entry.offset + count)..<(entry.offset + count + entry.shape[2])]
        )
    }

    /// The sound that the script calls `sound`.
    static func sound(count: Int, number: Int) -> [Float] {
        func triangle(_ phase: UInt64) -> Double { Double(abs(Int(phase & 0xFFFF) - 32768)) / 16384 - 1 }
        return (0..<UInt64(count)).map { index in
            var noise = (index &* 2_654_435_761 &+ UInt64(40503 * (number + 1))) & 0xFFFF_FFFF
            noise ^= noise >> 15
            noise = (noise &* 2_246_822_519) & 0xFFFF_FFFF
            noise ^= noise >> 13
            var value = 0.3 * triangle(index &* UInt64(1201 + 97 * number))
            value += 0.2 * triangle(index &* (index >> 9))
            value += 0.05 * (Double(noise) / 2_147_483_648 - 1)
            let part = index * 5 / UInt64(count)
            return Float(value * (part == 4 ? 0 : part == 3 ? 1.0 / 4096 : 1))
        }
    }
}
