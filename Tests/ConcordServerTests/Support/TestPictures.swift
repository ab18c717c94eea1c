import ConcordCore
import ConcordMedia
import Foundation

/// Pictures for tests, good and bad.
enum TestPictures {
    /// A gradient; another `seed` is another picture.
    static func image(width: Int = 20, height: Int = 16, seed: Int = 0) -> Image {
        let pixels = (0..<width * height * 3).map { UInt8(truncatingIfNeeded: $0 * 7 + seed * 31) }
        return Image(width: width, height: height, pixels: pixels)
    }

    static func png(width: Int = 20, height: Int = 16, seed: Int = 0) throws -> [UInt8] {
        try image(width: width, height: height, seed: seed).encoded(as: .png)
    }

    static func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }
    static func dataURI(_ bytes: [UInt8], type: String = "image/png") -> String {
        "data:\(type);base64,\(base64(bytes))"
    }

    // MARK: PNG files by hand

    /// - Parameters:
    ///   - colour: the colour type of the header.
    ///   - data: the compressed rows.
    ///   - extra: chunks between the header and the rows.
    static func png(
        width: UInt32, height: UInt32, depth: UInt8 = 8, colour: UInt8 = 2, data: [UInt8],
        extra: [(String, [UInt8])] = []
    ) -> [UInt8] {
        var header = bytes(width) + bytes(height)
        header += [depth, colour, 0, 0, 0]
        var file: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + chunk("IHDR", header)
        for (type, content) in extra { file += chunk(type, content) }
        return file + chunk("IDAT", data) + chunk("IEND", [])
    }

    static func chunk(_ type: String, _ content: [UInt8]) -> [UInt8] {
        let body = Array(type.utf8) + content
        return bytes(UInt32(content.count)) + body + bytes(checksum(body))
    }

    /// zlib data of `count` zeros, about 160 to 1.
    static func zeros(_ count: Int) -> [UInt8] {
        var output: [UInt8] = [0x78, 0x9C]
        var (buffer, filled) = (UInt64(0), 0)
        func put(_ value: Int, _ bits: Int) {
            buffer |= UInt64(value) << UInt64(filled)
            filled += bits
            while filled >= 8 {
                output.append(UInt8(truncatingIfNeeded: buffer))
                buffer >>= 8
                filled -= 8
            }
        }
        // One block of fixed codes: a zero, runs of 258 at distance 1, single zeros, the end.
        put(1, 1)
        put(1, 2)
        put(0b0000_1100, 8)
        for _ in 0..<(count - 1) / 258 {
            put(0b1010_0011, 8)
            put(0, 5)
        }
        for _ in 0..<(count - 1) % 258 { put(0b0000_1100, 8) }
        put(0, 7)
        if filled > 0 { put(0, 8 - filled) }
        // Adler-32 of zeros: the first sum stays 1, the second counts them.
        return output + bytes(UInt32(count % 65521) << 16 | 1)
    }

    private static func bytes(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }

    /// The CRC-32 of PNG's and gzip's formats.
    static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var sum = ~UInt32(0)
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? (sum >> 1) ^ 0xEDB8_8320 : sum >> 1 }
        }
        return ~sum
    }
}
