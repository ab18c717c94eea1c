import ConcordCore
import ConcordMedia
import Foundation
import Testing

/// Sound files of all formats, and those that are none: each of these is a typed error that names the file and says what
/// to do.
struct AudioDecoderTests {
    private func decode(_ bytes: [UInt8], limits: AudioLimits = .standard) throws -> AudioClip {
        try AudioDecoder.decode(bytes, name: "some/sound", limits: limits)
    }

    private func expectRefused(
        _ bytes: [UInt8], saying text: String, limits: AudioLimits = .standard,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(sourceLocation: sourceLocation) {
            try decode(bytes, limits: limits)
        } throws: { error in
            guard let error = error as? ConcordError else { return false }
            return error.code == .invalidAudio && error.message.contains("some/sound") && error.message.contains(text)
        }
    }

    /// A tone of a second that fades in, of 16 bits.
    private static let tone = AudioClip(
        samples: (0..<16_000).map { index in
            let wave = sin(2 * .pi * 440 * Double(index) / 16_000) * Double(index) / 32_000
            return Float(Int16(wave * 32_768)) / 32_768
        }, sampleRate: 16_000)

    private func file(_ encoding: AudioWriter.Encoding) throws -> [UInt8] {
        try AudioWriter.encode(Self.tone, as: encoding)
    }

    // MARK: - What is read

    @Test func eightBits() throws {
        let clip = try decode(WAVFile(bits: 8, data: [0, 64, 128, 192, 255]).bytes)
        #expect(clip.samples == [-1, -0.5, 0, 0.5, 127 / 128])
    }

    @Test func twentyFourBits() throws {
        let values = [-8_388_608, -1, 0, 1, 4_194_304, 8_388_607]
        let data = values.flatMap { little(Int32($0)).prefix(3) }
        let clip = try decode(WAVFile(bits: 24, data: data).bytes)
        #expect(clip.samples == values.map { Float($0) / 8_388_608 })
    }

    @Test func floatsBeyondFullScaleAreKept() throws {
        #expect(try decode(WAVFile.floats([-2.5, 0.25, 1.5]).bytes).samples == [-2.5, 0.25, 1.5])
    }

    @Test func sixChannelsAreAveraged() throws {
        let frames: [[Int16]] = [[6_000, 0, 0, 0, 0, 0], [1_200, -1_200, 2_400, -2_400, 600, 0]]
        let clip = try decode(WAVFile.samples16(frames.flatMap(\.self), channels: 6).bytes)
        #expect(clip.samples == [Float(6_000) / 32_768 / 6, Float(600) / 32_768 / 6])
    }

    @Test func eightKilohertz() throws {
        let clip = try decode(WAVFile.samples16([1, 2, 3, 4], rate: 8_000).bytes)
        #expect(clip.sampleRate == 8_000)
        #expect(clip.duration == 0.0005)
    }

    @Test func oneSample() throws {
        #expect(try decode(WAVFile.samples16([16_384]).bytes).samples == [0.5])
    }

    @Test func fourHundredEightyThousandAndOneSamples() throws {
        let clip = try decode(WAVFile.samples16([Int16](repeating: 3, count: 480_001), rate: 48_000).bytes)
        #expect(clip.samples.count == 480_001)
        #expect(clip.samples.last == Float(3) / 32_768)
    }

    @Test func aFileOfAPipeHasNoLength() throws {
        for unknown: UInt32 in [0x7FFF_F000, 0xFFFF_FFFF - 36] {
            var wav = WAVFile.samples16([5, 6, 7])
            wav.announcedBytes = unknown
            #expect(try decode(wav.bytes).samples.count == 3)
        }
    }

    @Test(arguments: [AudioWriter.Encoding.flac, .wav])
    func sixteenBitsComeBackExactly(_ encoding: AudioWriter.Encoding) throws {
        #expect(try decode(file(encoding)) == Self.tone)
    }

    @Test(arguments: [AudioWriter.Encoding.vorbis, .opus, .mp3])
    func lossyFormatsSoundTheSame(_ encoding: AudioWriter.Encoding) throws {
        let clip = try decode(file(encoding))
        #expect(clip.sampleRate == 16_000)
        // An encoder may delay the sound: the best of the shifts that MP3 has.
        let middle = 6_000..<14_000
        let energy = middle.reduce(0) { $0 + Self.tone.samples[$1] * Self.tone.samples[$1] }
        let error = (0..<1_300).map { shift -> Float in
            middle.reduce(0) { sum, index in
                guard index + shift < clip.samples.count else { return sum + 1 }
                let difference = clip.samples[index + shift] - Self.tone.samples[index]
                return sum + difference * difference
            }
        }.min()
        #expect(try #require(error) < energy / 100)
    }

    @Test func filesAreReadFromDisk() throws {
        let path = NSTemporaryDirectory() + "/concord-tone-\(UUID().uuidString).flac"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try AudioWriter.writeFLAC(Self.tone, to: path)
        #expect(try AudioDecoder.read(path) == Self.tone)
        #expect(throws: ConcordError.self) { try AudioDecoder.read(path + ".none") }
    }

    // MARK: - What is refused

    @Test func empty() throws {
        expectRefused([], saying: "is empty")
        expectRefused(WAVFile.samples16([]).bytes, saying: "no samples")
    }

    @Test func notANumber() throws {
        for value in [Float.nan, .infinity, -.infinity] {
            expectRefused(WAVFile.floats([0, 0.5, value, 0.25]).bytes, saying: "NaN or infinity")
        }
    }

    @Test(arguments: AudioWriter.Encoding.allCases)
    func truncated(_ encoding: AudioWriter.Encoding) throws {
        let whole = try file(encoding)
        for count in [whole.count / 3, whole.count / 2, whole.count * 3 / 4] {
            expectRefused([UInt8](whole.prefix(count)), saying: "damaged or truncated")
        }
    }

    @Test(arguments: AudioWriter.Encoding.allCases)
    func cutOrChangedAnywhere(_ encoding: AudioWriter.Encoding) throws {
        let whole = try file(encoding)
        var random = RandomSource(seed: 11)
        for _ in 0..<60 {
            var bytes = [UInt8](whole.prefix(1 + random.index(below: whole.count)))
            for _ in 0..<random.index(below: 4) {
                bytes[random.index(below: min(bytes.count, 200))] = UInt8(random.index(below: 256))
            }
            // A typed error or a sound within the limits: no trap, no hang.
            if let clip = try? decode(bytes) { #expect(clip.duration <= AudioLimits.standard.maximumSeconds) }
        }
    }

    @Test func aHeaderThatAnnouncesMore() throws {
        var wav = WAVFile.samples16([1, 2, 3])
        wav.announcedBytes = 60
        expectRefused(wav.bytes, saying: "damaged or truncated")
        // FLAC's number of samples, 36 bits, ends with byte 25.
        var flac = try file(.flac)
        flac[23] = 1
        expectRefused(flac, saying: "damaged or truncated")
        flac[22] = 0xFF
        expectRefused(flac, saying: "longer than the 600.0 s allowed")
    }

    @Test func aHeaderWithoutChannelsOrRate() throws {
        var wav = WAVFile.samples16([1, 2, 3])
        wav.channels = 0
        expectRefused(wav.bytes, saying: "damaged or truncated")
        wav = WAVFile.samples16([1, 2, 3], rate: 0)
        #expect(throws: ConcordError.self) { try decode(wav.bytes) }
        wav = WAVFile(format: 0x7777, data: [1, 2, 3, 4])
        expectRefused(wav.bytes, saying: "damaged or truncated")
    }

    @Test func aPictureOrATextAsASound() throws {
        let png = try Image(width: 2, height: 2, pixels: [UInt8](repeating: 9, count: 12)).encoded(as: .png)
        expectRefused(png, saying: "is PNG, not a sound")
        expectRefused(Array("a question, spoken\n".utf8), saying: "is not a sound in a supported format")
        expectRefused(Array("<!DOCTYPE html><p>404".utf8), saying: "is a web page")
        // An AIFF file: libsndfile would read it.
        expectRefused(
            Array("FORM".utf8) + [0, 0, 0, 4] + Array("AIFF".utf8), saying: "not a sound in a supported format")
    }

    @Test func limits() throws {
        let flac = try file(.flac)
        expectRefused(flac, saying: "bytes, more than the 100 allowed", limits: AudioLimits(maximumBytes: 100))
        expectRefused(flac, saying: "lasts 1.0 s, longer than the 0.5 s", limits: AudioLimits(maximumSeconds: 0.5))
        #expect(try decode(flac, limits: AudioLimits(maximumSeconds: 1)).samples.count == 16_000)
        expectRefused(
            flac, saying: "a sample rate of 16000 Hz, outside the allowed 44100 to 48000 Hz",
            limits: AudioLimits(sampleRates: 44_100...48_000))
        let stereo = WAVFile.samples16([1, 2], channels: 2).bytes
        expectRefused(stereo, saying: "has 2 channels, more than the 1", limits: AudioLimits(maximumChannels: 1))
    }

    // MARK: - Writing

    @Test func whatCannotBeWritten() throws {
        for clip in [
            AudioClip(samples: [], sampleRate: 16_000), AudioClip(samples: [0, .nan], sampleRate: 16_000),
            AudioClip(samples: [0], sampleRate: 5_000_000),
        ] {
            #expect {
                try AudioWriter.flac(clip)
            } throws: {
                ($0 as? ConcordError)?.code == .invalidAudio
            }
        }
    }

    @Test func whatIsLouderThanFullScaleIsCut() throws {
        let clip = AudioClip(samples: [-3, -1, 1, 3], sampleRate: 16_000)
        #expect(try decode(AudioWriter.flac(clip)).samples == [-1, -1, 32_767 / 32_768, 32_767 / 32_768])
    }
}
