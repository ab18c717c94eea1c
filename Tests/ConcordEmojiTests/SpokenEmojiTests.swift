import ConcordCore
import ConcordEmoji
import ConcordMedia
import ConcordTestSupport
import Foundation
import Testing

@Suite struct SpokenEmojiTests {
    /// Of these only one is held out, and only one of the others is named by voices to test with.
    private static let sample = ["🍎", "❤️‍🔥", "👩🏽‍🚒", "🍐"]

    /// Programs by the names of the real ones: scripts that note their arguments.
    private final class Programs {
        let folder: TemporaryFolder
        var path: String { folder.path + "/bin" }

        init(_ body: String = "cat \"$(dirname \"$0\")/../clip.wav\"") throws {
            folder = try TemporaryFolder()
            try folder.write("clip.wav", SpokenEmojiTests.wave(Array(repeating: 1000, count: 2205)))
            for name in ["espeak-ng", "flite"] {
                try folder.write("bin/\(name)", "#!/bin/sh\necho \"$@\" >> \"$(dirname \"$0\")/../calls\"\n\(body)\n")
                chmod("\(path)/\(name)", 0o755)
            }
        }

        var calls: [String] {
            guard let bytes = try? Files.read(folder.path + "/calls") else { return [] }
            return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        }
    }

    /// A WAV as a program writes it to a pipe.
    private static func wave(
        _ samples: [Int16], rate: UInt32 = 22050, channels: UInt16 = 1, length: UInt32 = 0x7FFF_F000
    ) -> [UInt8] {
        func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
            withUnsafeBytes(of: number.littleEndian) { Array($0) }
        }
        return Array("RIFF".utf8) + bytes(length) + Array("WAVEfmt ".utf8) + bytes(UInt32(16)) + bytes(UInt16(1))
            + bytes(channels) + bytes(rate) + bytes(rate * 2) + bytes(UInt16(2)) + bytes(UInt16(16))
            + Array("data".utf8) + bytes(length) + samples.flatMap { bytes($0) }
    }

    private func builder(_ programs: Programs, voices: Int = 3) -> SpokenEmojiBuilder {
        var builder = SpokenEmojiBuilder(
            pictures: EmojiDatasetBuilder(size: 16, only: Self.sample), voiceCount: voices)
        builder.programFolders = [programs.path]
        builder.addsRecordings = false
        return builder
    }

    private func rows(_ folder: String) throws -> [[String]] {
        String(decoding: try Files.read(folder + "/sounds.tsv"), as: UTF8.self).split(separator: "\n")
            .map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
    }

    @Test func namesAreSpokenOnceAndKept() throws {
        let programs = try Programs(), folder = try TemporaryFolder(), path = folder.path + "/spoken"
        let summary = try builder(programs).build(to: path)
        let table = try rows(path)
        #expect(
            table[0] == ["image", "caption", "audio", "language", "split", "condition", "voice", "engine", "frames"])
        #expect(table.count == summary.clips + 1 && programs.calls.count == summary.clips)

        // A held-out picture is named in its natural form by the voices of espeak-ng, and by all to test with.
        let firefighter = table.filter { $0[0].contains("1f469") }
        #expect(
            firefighter.map { $0[6] } == [
                "en-us+m3", "en-gb+f2", "cmn+m1", "en-gb-scotland+m7", "en-gb-x-rp+f4", "flite-slt",
            ])
        #expect(firefighter.allSatisfy { $0[4] == "held-out" })
        #expect(Set(firefighter.map { $0[1] }) == ["woman firefighter, medium skin tone", "女消防员，中等肤色"])
        #expect(Set(firefighter.map { $0[5] }) == ["trained", "accent", "engine"])
        // One to train on by those to train on; what others say of it is not for training.
        let apple = table.filter { $0[0] == "images/1f34e.png" }
        #expect(
            apple.filter { $0[4] == "train" }.map { $0[6] } == [
                "en-us+m3", "en-gb+f2", "cmn+m1", "flite-kal16", "flite-rms", "flite-awb",
            ])
        #expect(apple.allSatisfy { ($0[4] == "train") == ($0[5] == "trained") })

        // A tenth of a second at 22,050 Hz, at 16,000.
        let clip = try AudioDecoder.read(path + "/" + apple[0][2])
        #expect(clip.sampleRate == 16_000 && clip.samples.count == 1600 && apple[0][8] == "1600")
        #expect(abs(clip.samples[800] - 1000.0 / 32768) < 1e-3)
        let description = try JSONValue(parsing: Files.read(path + "/dataset.json"), source: "dataset.json")
        #expect(description["speech"]?["clips"]?.int == summary.clips && description["pictures"]?.int == 4)

        // A second run makes what is missing, and draws nothing.
        let calls = programs.calls.count
        let picture = try Files.read(path + "/images/1f34e.png")
        try FileManager.default.removeItem(atPath: path + "/" + apple[0][2])
        try folder.write("spoken/" + apple[1][2], "cut short")
        try folder.write("spoken/images/1f34e.png", picture + [0])
        try builder(programs).build(to: path)
        #expect(programs.calls.count == calls + 2)
        #expect(try rows(path) == table)
        #expect(try Files.read(path + "/images/1f34e.png").count == picture.count + 1)
        // More voices add their clips.
        let more = try builder(programs, voices: 4).build(to: path)
        #expect(more.clips == summary.clips + 4 && programs.calls.count == calls + 6)
        #expect(more.voices.map(\.name).contains("en-us+klatt4"))
    }

    @Test func aStoppedRunGoesOn() throws {
        let programs = try Programs(), folder = try TemporaryFolder(), path = folder.path + "/spoken"
        // Fails at the fourth call.
        let failing = try Programs(
            "test $(wc -l < \"$(dirname \"$0\")/../calls\") -lt 4 || { echo broken >&2; exit 3; }\n"
                + "cat \"$(dirname \"$0\")/../clip.wav\"")
        let error = #expect(throws: ConcordError.self) { try builder(failing).build(to: path) }
        #expect(error?.code == .unavailable && error?.message.contains("failed (broken)") == true)
        // Two clips or three, as the threads come.
        let kept = try FileManager.default.subpathsOfDirectory(atPath: path).filter { $0.hasSuffix(".flac") }.count
        #expect((1...3).contains(kept))
        let summary = try builder(programs).build(to: path)
        #expect(programs.calls.count == summary.clips - kept)
        #expect(try rows(path).count == summary.clips + 1)
    }

    @Test func programsThatAreMissingOrWrongAreNamed() throws {
        let folder = try TemporaryFolder(), path = folder.path + "/spoken"
        var missing = SpokenEmojiBuilder(pictures: EmojiDatasetBuilder(size: 16, only: Self.sample))
        missing.programFolders = ["/none"]
        let none = #expect(throws: ConcordError.self) { try missing.build(to: path) }
        #expect(none?.code == .unavailable && none?.message.contains("apt-get install espeak-ng") == true)
        #expect(!Files.exists(path))

        for (body, words) in [
            ("exec sleep 1000", "did not end within 0.2"), ("echo nothing", "are no 16-bit WAV"),
            ("head -c 44 \"$(dirname \"$0\")/../clip.wav\"", "said nothing"),
        ] {
            let programs = try Programs(body)
            var builder = builder(programs)
            if body.contains("sleep") { builder.clipTimeout = 0.2 }
            let error = #expect(throws: ConcordError.self) { try builder.build(to: path) }
            #expect(error?.code == .unavailable && error?.message.contains(words) == true, "\(body)")
        }
        let languages = #expect(throws: ConcordError.self) {
            try SpokenEmojiBuilder(pictures: .init(languages: ["de"], only: Self.sample)).build(to: path)
        }
        #expect(languages?.message.contains("--languages") == true)
        let many = #expect(throws: ConcordError.self) {
            try SpokenEmojiBuilder(pictures: .init(only: Self.sample), voiceCount: 99).build(to: path)
        }
        #expect(many?.code == .invalidConfiguration && many?.message.contains("99") == true)
    }

    @Test func wavesOfPipesAreRead() {
        let clip = WaveStream.clip(in: Self.wave([16384, -16384, 0], rate: 16000))
        #expect(clip == AudioClip(samples: [0.5, -0.5, 0], sampleRate: 16000))
        // A length that is true ends the sound; half a sample is none.
        #expect(WaveStream.clip(in: Self.wave([1, 2, 3], length: 4))?.samples.count == 2)
        #expect(WaveStream.clip(in: Self.wave([1, 2]) + [7])?.samples.count == 2)
        #expect(WaveStream.clip(in: Self.wave([1, 2], channels: 2)) == nil)
        for count in 0..<44 { #expect(WaveStream.clip(in: Array(Self.wave([1]).prefix(count))) == nil, "\(count)") }
        #expect(WaveStream.clip(in: Array("RIFF\0\0\0\0WAVEdata\u{7F}\u{7F}\u{7F}\u{7F}12".utf8)) == nil)
    }

    @Test func speedAndPitchFollowFromTheClip() {
        let voice = SpeechVoice.espeakVoices[0]
        let arguments = voice.arguments(speaking: "-v red apple", hash: 1)
        #expect(arguments.suffix(2) == ["--", "-v red apple"])
        #expect(arguments == voice.arguments(speaking: "-v red apple", hash: 1))
        let speeds = (0..<200).map { Int(voice.arguments(speaking: "", hash: $0)[3]) ?? 0 }
        #expect(speeds.min() == 130 && speeds.max() == 190 && Set(speeds).count > 30)
        #expect(SpeechVoice.fliteVoices[0].arguments(speaking: "Åland’s piñata", hash: 1).last == "Aland's pinata")
    }

    @Test func voicesToTestWithAreNotTrained() {
        let trained = SpeechVoice.espeakVoices + SpeechVoice.fliteVoices
        #expect(Set(trained.map(\.name)).isDisjoint(with: SpeechVoice.testVoices.map(\.name)))
        #expect(Set(trained.map(\.name)).count == trained.count)
        #expect(trained.prefix(12).count { $0.language == "zh" } == 4)
        #expect(trained.prefix(12).contains { $0.code.contains("klatt") })
        func accents(_ voices: [SpeechVoice]) -> Set<String> {
            Set(voices.filter { $0.engine == .espeak }.map { String($0.code.prefix { $0 != "+" }) })
        }
        #expect(accents(trained).isDisjoint(with: accents(SpeechVoice.testVoices)))
    }

    @Test func recordingsAreFoundByTheirThemes() throws {
        let folder = try TemporaryFolder()
        try folder.write(
            "sounds/en.soundtheme",
            """
            <language code="en"><sound name="hat" file="en/hat.ogg"/><sound name="moon_fallingstar" file="en/s.ogg"/>
            <sound name="unused" file="en/unused.ogg"/></language>
            """)
        try folder.write(
            "pics/moon.theme",
            "<playground><object name=\"a\" sound=\"moon_fallingstar\"/><object name=\"b\" sound=\"hat\"/></playground>"
        )
        var folders = HumanRecordings.Folders()
        folders.ktuberling = folder.path
        folders.asteriskTranscripts = "/none"
        #expect(try HumanRecordings.find(folders).map(\.text) == ["hat", "falling star"])
        try folder.write("pics/broken.theme", "<playground")
        let error = #expect(throws: ConcordError.self) { try HumanRecordings.find(folders) }
        #expect(error?.code == .malformedText && error?.message.contains("broken.theme") == true)
        folders.ktuberling = "/none"
        #expect(try HumanRecordings.find(folders).isEmpty)
    }
}
