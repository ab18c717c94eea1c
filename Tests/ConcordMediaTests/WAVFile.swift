/// Builds WAV files byte by byte, also wrong ones.
struct WAVFile {
    /// 1 for integers, 3 for floats.
    var format: UInt16 = 1
    var channels: UInt16 = 1
    var rate: UInt32 = 16_000
    var bits: UInt16 = 16
    /// What the header announces, if not the bytes that follow.
    var announcedBytes: UInt32?
    var data: [UInt8] = []

    var bytes: [UInt8] {
        let blockAlign = channels * (bits / 8)
        var body = Array("WAVEfmt ".utf8)
        body += little(UInt32(16)) + little(format) + little(channels) + little(rate)
        body += little(rate * UInt32(blockAlign)) + little(blockAlign) + little(bits)
        body += Array("data".utf8) + little(announcedBytes ?? UInt32(data.count)) + data
        return Array("RIFF".utf8) + little(announcedBytes.map { $0 &+ 36 } ?? UInt32(body.count)) + body
    }

    /// Samples of 16 bits, those of all channels side by side.
    static func samples16(_ samples: [Int16], channels: UInt16 = 1, rate: UInt32 = 16_000) -> WAVFile {
        WAVFile(channels: channels, rate: rate, data: samples.flatMap(little))
    }

    static func floats(_ samples: [Float], rate: UInt32 = 16_000) -> WAVFile {
        WAVFile(format: 3, rate: rate, bits: 32, data: samples.flatMap { little($0.bitPattern) })
    }
}

/// The bytes of an integer, the lowest first.
func little(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.littleEndian, Array.init) }
