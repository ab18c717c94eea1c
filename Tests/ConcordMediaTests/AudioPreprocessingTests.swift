import ConcordCore
import ConcordMedia
import Foundation
import Testing

/// Clip rules, and the configuration files of front ends.
struct AudioPreprocessingTests {
    private func sound(_ count: Int, rate: Int = 48_000) -> AudioClip {
        AudioClip(samples: AudioGolden.sound(count: count, number: 0), sampleRate: rate)
    }

    // MARK: - Clips

    @Test func soundsWithoutSamplesOrTooShort() {
        for preprocessing in [AudioPreprocessing.clap(), .clap(fused: true), .whisper(), .ast, .speech] {
            for samples: [Float] in [[], [0, .nan], [.infinity]] {
                #expect {
                    try preprocessing(AudioClip(samples: samples, sampleRate: preprocessing.sampleRate))
                } throws: {
                    ($0 as? ConcordError)?.code == .invalidAudio
                }
            }
        }
        #expect {
            try AudioPreprocessing.ast(sound(399, rate: 16_000))
        } throws: {
            ($0 as? ConcordError)?.message.contains("399 samples at 16000 Hz, too few for a frame of 400") == true
        }
    }

    @Test func oneSampleIsEnoughWhereItIsFilledUp() throws {
        for preprocessing in [AudioPreprocessing.clap(), .clap(fused: true), .whisper(), .speech] {
            let features = try preprocessing(sound(1, rate: preprocessing.sampleRate))
            #expect(features.frames > 0)
            #expect(features.values.allSatisfy { $0.isFinite })
        }
    }

    @Test func lengthsAreThoseOfTheSound() throws {
        // Whisper's frame i begins at sample 160 i.
        for (count, length) in [(1, 1), (160, 1), (161, 2), (16_000, 100), (480_000, 3000), (500_000, 3000)] {
            #expect(try AudioPreprocessing.whisper()(sound(count, rate: 16_000)).length == length)
        }
        let ast = try AudioPreprocessing.ast(sound(16_000, rate: 16_000))
        #expect(ast.length == 98)
        #expect(ast.frames == 1024)
        // What follows is 0 before it is normalized.
        #expect(ast.values[(98 * 128)...].allSatisfy { $0 == Float(4.2677393) / Float(2 * 4.5689974) })
        #expect(try AudioPreprocessing.clap()(sound(100_000)).length == 834)
        let speech = try AudioPreprocessing.speech(sound(16_000, rate: 16_000))
        #expect(speech.frames == 101 && speech.length == 101 && speech.bins == 64)
    }

    @Test func otherRatesAreResampled() throws {
        let clip = sound(44_100, rate: 44_100)
        #expect(try AudioPreprocessing.speech(clip) == AudioPreprocessing.speech(clip.resampled(to: 16_000)))
    }

    @Test func theSampleChoosesThePart() throws {
        let long = sound(600_000)
        for preprocessing in [AudioPreprocessing.clap(), .clap(fused: true)] {
            let extractor = try preprocessing.extractor()
            let first = try extractor(long, sampleID: 1)
            #expect(try extractor(long, sampleID: 1) == first)
            #expect(first.isLonger)
            #expect(try extractor(long, sampleID: 2) != first)
            #expect(try extractor(long, sampleID: 1, epoch: 1) != first)
        }
    }

    @Test func aFusedSoundThatIsNotLongerIsThereFourTimes() throws {
        for count in [480_000, 480_001, 480_479] {
            let features = try AudioPreprocessing.clap(fused: true)(sound(count))
            let channel = features.values.count / 4
            #expect(!features.isLonger)
            for index in 1..<4 {
                #expect(
                    features.values[..<channel].elementsEqual(features.values[(index * channel)...].prefix(channel)))
            }
        }
        #expect(try AudioPreprocessing.clap(fused: true)(sound(480_480)).isLonger)
    }

    @Test func roundingTo16BitsIsAudible() throws {
        var clap = AudioPreprocessing.clap()
        let quiet = AudioClip(samples: sound(48_000).samples.map { $0 / 2_000 }, sampleRate: 48_000)
        let exact = try clap(quiet)
        clap.roundsTo16Bits = true
        let rounded = try clap(quiet)
        #expect(zip(exact.values, rounded.values).map { abs($0 - $1) }.max() ?? 0 > 1)
    }

    @Test func threadsDoNotMatter() async throws {
        let extractor = try AudioPreprocessing.speech.extractor()
        let sounds = (0..<8).map { sound(8_000 + 777 * $0, rate: 16_000) }
        let alone = try sounds.map { try extractor($0) }
        let together = try await withThrowingTaskGroup(of: (Int, AudioFeatures).self) { group in
            for (index, sound) in sounds.enumerated() { group.addTask { (index, try extractor(sound)) } }
            return try await group.reduce(into: [Int: AudioFeatures]()) { $0[$1.0] = $1.1 }
        }
        for index in sounds.indices { #expect(together[index] == alone[index]) }
    }

    // MARK: - Configurations

    @Test func configurationsOfTransformers() throws {
        let expected: [(String, AudioPreprocessing)] = [
            ("clap", .clap()), ("clap-fused", .clap(fused: true)), ("whisper", .whisper()),
            ("whisper-128", .whisper(bins: 128)), ("ast", .ast),
        ]
        for (name, preprocessing) in expected {
            let config = try #require(AudioGolden.shared.configs[name])
            #expect(try AudioPreprocessing(preprocessorConfig: config) == preprocessing)
            let written = preprocessing.preprocessorConfig()
            #expect(written["feature_extractor_type"] == config["feature_extractor_type"])
            #expect(try AudioPreprocessing(preprocessorConfig: written) == preprocessing)
        }
    }

    @Test func whatAConfigurationDoesNotSay() throws {
        let clap = try AudioPreprocessing(preprocessorConfig: ["feature_extractor_type": "ClapFeatureExtractor"])
        var expected = AudioPreprocessing.clap(fused: true)
        expected.mel.frequencies = 0...14_000
        #expect(clap == expected)
        #expect(
            try AudioPreprocessing(preprocessorConfig: ["feature_extractor_type": "WhisperFeatureExtractor"])
                == .whisper())
        #expect(try AudioPreprocessing(preprocessorConfig: ["feature_extractor_type": "ASTFeatureExtractor"]) == .ast)
    }

    @Test func otherValuesHaveAFormOfTheirOwn() throws {
        var changed = AudioPreprocessing.whisper()
        changed.mel.window = .povey
        var rounded = AudioPreprocessing.clap(fused: true)
        rounded.roundsTo16Bits = true
        var long = AudioPreprocessing.clap()
        long.clip = .samples(123_457, short: .pad, long: .thirds)
        var plain = AudioPreprocessing.ast
        (plain.mel.mean, plain.mel.deviation) = (0, 1)
        for preprocessing in [.speech, changed, rounded, long, plain] {
            let written = preprocessing.preprocessorConfig()
            let isOwn = written["feature_extractor_type"] == "ConcordAudioExtractor"
            #expect(isOwn == (preprocessing != plain))
            let text = try JSONValue(parsing: Array(written.text().utf8), source: "written")
            #expect(try AudioPreprocessing(preprocessorConfig: text) == preprocessing)
        }
    }

    @Test(
        arguments: [
            (["feature_extractor_type": "EncodecFeatureExtractor"], "EncodecFeatureExtractor"),
            ([:], "not supported"),
            ("text", "write a JSON object"),
            (["feature_extractor_type": "ClapFeatureExtractor", "truncation": "both"], "\"both\""),
            (["feature_extractor_type": "ClapFeatureExtractor", "padding": "mirror"], "mirror"),
            (["feature_extractor_type": "ClapFeatureExtractor", "fft_window_size": 1022], "transform size"),
            (["feature_extractor_type": "ClapFeatureExtractor", "frequency_max": 30_000], "frequency range"),
            (["feature_extractor_type": "ClapFeatureExtractor", "frequency_min": 20_000], "below frequency_max"),
            (["feature_extractor_type": "ClapFeatureExtractor", "max_length_s": 1_000_000], "max_length_s"),
            (["feature_extractor_type": "WhisperFeatureExtractor", "dither": 0.1], "dither"),
            (["feature_extractor_type": "WhisperFeatureExtractor", "hop_length": 0], "hop_length"),
            (["feature_extractor_type": "ASTFeatureExtractor", "std": 0], "deviation"),
            (["feature_extractor_type": "ConcordAudioExtractor"], "resampler"),
        ] as [(JSONValue, String)])
    func configurationsThatAreRefused(_ config: JSONValue, _ text: String) {
        #expect {
            try AudioPreprocessing(preprocessorConfig: config)
        } throws: {
            guard let error = $0 as? ConcordError else { return false }
            return error.code == .invalidConfiguration && error.message.contains(text)
        }
    }

    @Test func foldersOfModels() throws {
        let folder = NSTemporaryDirectory() + "/concord-audio-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect {
            try AudioPreprocessing(folder: folder)
        } throws: {
            ($0 as? ConcordError)?.code == .fileSystem
        }
        try Files.replace(
            folder + "/preprocessor_config.json", with: AudioPreprocessing.whisper().preprocessorConfig().text())
        #expect(try AudioPreprocessing(folder: folder) == .whisper())
        let processor: JSONValue = ["feature_extractor": AudioPreprocessing.ast.preprocessorConfig()]
        try Files.replace(folder + "/processor_config.json", with: processor.text())
        #expect(try AudioPreprocessing(folder: folder) == .ast)
    }
}
