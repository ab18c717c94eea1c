import ConcordCore
import ConcordMedia

extension ExternalProgram {
    /// Runs the program, and reads the WAV that it writes.
    ///
    /// - Throws: `.unavailable` as ``output(_:)`` does, and for a program that writes no sound.
    func clip(_ arguments: [String]) throws(ConcordError) -> AudioClip {
        let output = try output(arguments)
        guard let clip = WaveStream.clip(in: output) else {
            throw problem(arguments, "wrote \(output.count) bytes that are no 16-bit WAV of one channel")
        }
        guard !clip.samples.isEmpty else { throw problem(arguments, "said nothing") }
        return clip
    }
}

/// The sound of a WAV that was written to a pipe: its header cannot say how long it is, and says anything.
package enum WaveStream {
    /// The clip; nil for what is no WAV of 16-bit numbers of one channel.
    package static func clip(in bytes: [UInt8]) -> AudioClip? {
        func number(_ offset: Int, _ count: Int) -> Int {
            bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        guard bytes.count >= 12, bytes.starts(with: "RIFF".utf8), bytes[8..<12].elementsEqual("WAVE".utf8) else {
            return nil
        }
        var offset = 12, rate: Int?
        while offset + 8 <= bytes.count {
            let name = bytes[offset..<offset + 4], length = number(offset + 4, 4)
            offset += 8
            if name.elementsEqual("data".utf8) {
                guard let rate else { return nil }
                let count = min(length, bytes.count - offset) / 2
                let samples = [Float](unsafeUninitializedCapacity: count) { buffer, filled in
                    for index in 0..<count {
                        let low = UInt16(bytes[offset + 2 * index]), high = UInt16(bytes[offset + 2 * index + 1])
                        buffer[index] = Float(Int16(bitPattern: high << 8 | low)) / 32768
                    }
                    filled = count
                }
                return AudioClip(samples: samples, sampleRate: rate)
            }
            if name.elementsEqual("fmt ".utf8) {
                guard length >= 16, offset + 16 <= bytes.count, number(offset, 2) == 1, number(offset + 2, 2) == 1,
                    number(offset + 14, 2) == 16, (1000...200_000).contains(number(offset + 4, 4))
                else { return nil }
                rate = number(offset + 4, 4)
            }
            offset += length + length % 2
        }
        return nil
    }
}
