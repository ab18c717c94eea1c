import ConcordCore
import ConcordMedia
import ConcordTestSupport
import Foundation
import Testing

/// Decoding and encoding, against Pillow: every pixel of every image.
struct DecodingTests {
    static let golden = Golden.shared

    @Test(arguments: golden.images)
    func decodesAsPillow(_ name: String) throws {
        let image = try Image(contentsOf: Self.golden.path(name))
        expectEqual(image, try Self.golden.image("decoded/\(name)"))
    }

    @Test func manyThreadsDecodeAtOnce() async throws {
        let golden = Self.golden
        let expected = try golden.images.map { try golden.image("decoded/\($0)") }
        let failures = Failures()
        let threads = (0..<8).map { start in
            Thread {
                // Each thread begins elsewhere, so that different decoders run side by side.
                for step in golden.images.indices {
                    let index = (start * 11 + step) % golden.images.count
                    let image = try? Image(contentsOf: golden.path(golden.images[index]))
                    if image != expected[index] { failures.add(golden.images[index]) }
                    let damaged = try? Image(decoding: [0xFF, 0xD8, 0xFF, 0xE0, 1, 2], name: "damaged")
                    if damaged != nil { failures.add("damaged") }
                }
                failures.finish()
            }
        }
        for thread in threads { thread.start() }
        failures.wait(for: threads.count)
        #expect(failures.names.isEmpty)
    }

    /// `@unchecked Sendable`: every access to `names` holds the lock of `condition`.
    private final class Failures: @unchecked Sendable {
        private let condition = NSCondition()
        private(set) var names: [String] = []
        private var finished = 0

        func add(_ name: String) { condition.withLock { names.append(name) } }

        func finish() {
            condition.withLock { finished += 1 }
            condition.signal()
        }

        func wait(for count: Int) {
            condition.lock()
            while finished < count { condition.wait() }
            condition.unlock()
        }
    }

    @Test func pngRoundTripKeepsEveryPixel() throws {
        let image = try Self.golden.image("decoded/jpeg-420-odd.jpg")
        expectEqual(try Image(decoding: image.encoded(as: .png), name: "round trip"), image)
    }

    @Test func jpegIsWrittenAndReadBack() throws {
        let folder = try TemporaryFolder()
        let image = try Self.golden.image("decoded/jpeg-444.jpg")
        let path = folder.path + "/image.jpg"
        try image.write(to: path, as: .jpeg(quality: 95))
        let copy = try Image(contentsOf: path)
        #expect((copy.width, copy.height) == (image.width, image.height))
        let difference = zip(copy.pixels, image.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
        #expect(Double(difference) / Double(image.pixels.count) < 6)
    }

    @Test func shrinkOnLoadKeepsTheShortestEdge() throws {
        // A 400 × 300 image: 75 pixels allow 1/4, 76 only 1/2.
        var pixels: [UInt8] = []
        for y in 0..<300 {
            for x in 0..<400 { pixels += [UInt8(x / 2), UInt8(y / 2), 128] }
        }
        let bytes = try Image(width: 400, height: 300, pixels: pixels).encoded(as: .jpeg(quality: 90))
        for (edge, width) in [
            (301, 400), (300, 400), (151, 400), (150, 200), (76, 200), (75, 100), (38, 100), (37, 50),
        ] {
            let image = try Image(decoding: bytes, name: "ramp", shrinkFor: edge)
            #expect(image.width == width, "for \(edge)")
            // The ramp is still a ramp: red grows from left to right.
            let middle = (image.height / 2 * image.width + image.width / 2) * 3
            #expect(abs(Int(image.pixels[middle]) - 100) < 8)
        }
    }

    @Test func flippingCroppingAndGrayFollowTheirDefinitions() {
        let image = Image(width: 3, height: 2, pixels: (0..<18).map { UInt8($0 * 10) })
        #expect(image.flippedHorizontally().pixels[0..<9] == [60, 70, 80, 30, 40, 50, 0, 10, 20])
        #expect(image.cropped(x: 1, y: 1, width: 2, height: 1).pixels == [120, 130, 140, 150, 160, 170])
        #expect(image.grayscale().pixels[0..<6] == [8, 8, 8, 38, 38, 38])
    }
}
