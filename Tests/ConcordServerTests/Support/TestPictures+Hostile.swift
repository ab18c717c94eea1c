import Foundation

/// Pictures that are made to do harm, by hand.
extension TestPictures {
    /// A grey progressive JPEG of 8×8 pixels with one scan for the DC coefficient and `refinements` for each of the 63
    /// others, all of them as the standard allows, and then `repeats` of the last.
    static func progressiveJPEG(refinements: Int, repeats: Int = 0) -> [UInt8] {
        var file: [UInt8] = [0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0] + [UInt8](repeating: 1, count: 64)
        file += [0xFF, 0xC2, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0]
        // In both tables one code of one bit: no difference, and the end of a block.
        for table: UInt8 in [0x00, 0x10] {
            file += [0xFF, 0xC4, 0, 20, table, 1] + [UInt8](repeating: 0, count: 15) + [0]
        }
        func scan(_ coefficient: UInt8, _ bits: UInt8) -> [UInt8] {
            [0xFF, 0xDA, 0, 8, 1, 1, 0, coefficient, coefficient, bits, 0x7F]
        }
        file += scan(0, 0)
        for coefficient: UInt8 in 1..<64 {
            for step in 0..<refinements {
                // Coarse first, then a bit more each time.
                let low = UInt8(refinements - 1 - step), high = step == 0 ? 0 : low + 1
                file += scan(coefficient, high << 4 | low)
            }
        }
        for _ in 0..<repeats { file += scan(63, refinements > 1 ? 0x10 : 0) }
        return file + [0xFF, 0xD9]
    }

    /// A JPEG with an EXIF block of one entry behind its first marker.
    ///
    /// - Parameter next: where the block says that its next directory is.
    static func withOrientation(_ value: UInt16, next: UInt32 = 0, in jpeg: [UInt8]) -> [UInt8] {
        func little(_ value: UInt32, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(value >> (8 * $0) & 255) } }
        let tiff =
            Array("II".utf8) + little(42, 2) + little(8, 4) + little(1, 2) + little(0x0112, 2) + little(3, 2)
            + little(1, 4) + little(UInt32(value), 4) + little(next, 4)
        let content = Array("Exif".utf8) + [0, 0] + tiff
        return [0xFF, 0xD8, 0xFF, 0xE1, 0, UInt8(content.count + 2)] + content + jpeg.dropFirst(2)
    }

    /// An animated WebP whose frames are one pixel each.
    static func animatedWebP(frames: Int, canvas: Int = 1) -> [UInt8] {
        func little(_ value: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(value >> (8 * $0) & 255) } }
        func chunk(_ type: String, _ content: [UInt8]) -> [UInt8] {
            Array(type.utf8) + little(content.count, 4) + content + (content.count % 2 == 0 ? [] : [0])
        }
        let pixel: [UInt8] = [0x2F, 0, 0, 0, 0x10, 0x07, 0x10, 0x11, 0x11, 0x88, 0x88, 0xFE, 0x07]
        let frame = chunk("ANMF", [UInt8](repeating: 0, count: 16) + chunk("VP8L", pixel))
        var body = chunk("VP8X", [0x12, 0, 0, 0] + little(canvas - 1, 3) + little(canvas - 1, 3))
        body += chunk("ANIM", [UInt8](repeating: 0, count: 6))
        for _ in 0..<frames { body += frame }
        return Array("RIFF".utf8) + little(body.count + 4, 4) + Array("WEBP".utf8) + body
    }

    /// The chunks that make a PNG an animation.
    static func animationChunks(frames: Int) -> [(String, [UInt8])] {
        func big(_ value: Int) -> [UInt8] { withUnsafeBytes(of: UInt32(value).bigEndian) { Array($0) } }
        var chunks = [("acTL", big(frames) + big(0))]
        for frame in 0..<frames {
            chunks.append(("fcTL", big(frame) + big(8) + big(8) + big(0) + big(0) + [0, 1, 0, 1, 0, 0]))
        }
        return chunks
    }

    /// A picture that a peer wrote, from the golden files of ConcordMedia.
    static var ofPeers: [(name: String, bytes: [UInt8])] {
        get throws {
            let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent()
            let folder = tests.appendingPathComponent("Golden/media/images").path
            return try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map { name in
                (name, [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder + "/" + name))))
            }
        }
    }
}
