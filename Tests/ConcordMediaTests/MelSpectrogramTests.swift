import ConcordCore
import ConcordMedia
import Foundation
import Testing

/// The audio front ends against transformers' feature extractors, and against what they must be by themselves.
struct MelSpectrogramTests {
    static let golden = AudioGolden.shared

    private static func preprocessing(_ name: String) throws -> AudioPreprocessing {
        switch name {
        case "clap": return .clap()
        case "clap-fused": return .clap(fused: true)
        case "clap-repeat":
            var clap = AudioPreprocessing.clap()
            clap.clip = .samples(480_000, short: .repeat, long: .crop)
            return clap
        case "whisper": return .whisper()
        case "whisper-128": return .whisper(bins: 128)
        case "ast": return .ast
        default: throw ConcordError(.invalidArgument, "no preprocessing is called \(name)")
        }
    }

    /// A hundred-thousandth of a decibel in the values' own unit.
    private func tolerance(_ mel: MelSpectrogram) -> Double {
        let decibel =
            switch mel.logarithm {
            case .decibels: 1.0
            case .base10: 0.1
            case .natural: log(10.0) / 10
            }
        return 1e-5 * decibel / mel.deviation
    }

    @Test(arguments: golden.cases)
    func equalsTransformers(_ entry: AudioGolden.Case) throws {
        let preprocessing = try Self.preprocessing(entry.name)
        let sound = AudioClip(
            samples: AudioGolden.sound(count: entry.count, number: entry.number),
            sampleRate: preprocessing.sampleRate)
        let features = try preprocessing(sound, sampleID: entry.number)
        try #require([features.channels, features.frames, features.bins] == entry.shape)
        #expect(features.isLonger == entry.isLonger || !entry.name.hasPrefix("clap"))

        let tolerance = tolerance(preprocessing.mel)
        let (frames, means) = Self.golden.values(entry)
        var worst = 0.0
        var place = frames.startIndex
        for channel in 0..<features.channels {
            for frame in entry.frames {
                let start = (channel * features.frames + frame) * features.bins
                for value in features.values[start..<(start + features.bins)] {
                    worst = max(worst, abs(Double(value) - Double(frames[place])))
                    place += 1
                }
            }
        }
        #expect(worst <= tolerance)

        var sums = [Double](repeating: 0, count: features.bins)
        var signed = 0.0
        for (index, value) in features.values.enumerated() {
            sums[index % features.bins] += Double(value)
            signed +=
                (UInt32(truncatingIfNeeded: index) &* 2_654_435_761) >> 17 & 1 == 1 ? Double(value) : -Double(value)
        }
        let rows = Double(features.channels * features.frames)
        for (sum, mean) in zip(sums, means) { #expect(abs(sum / rows - Double(mean)) <= tolerance) }
        let all = Double(features.values.count)
        #expect(abs(sums.reduce(0, +) - entry.sum) <= all * tolerance)
        // Errors of either sign mostly cancel out; a value at the wrong place does not.
        #expect(abs(signed - entry.signed) <= max(all.squareRoot(), 100) * 10 * tolerance)
    }

    @Test func drawsAreThoseOfTheScript() {
        var random = RandomSource(seed: 0x636C_6970, stream: 0, 5)
        #expect(Self.golden.draws.map { _ in random.index(below: 1000) } == Self.golden.draws)
    }

    /// The plain definition, in double precision.
    private func reference(_ mel: MelSpectrogram, _ samples: [Float], frame: Int, band: Int) -> Double {
        let margin = mel.centering == .none ? 0 : mel.frameSize / 2
        var values = (0..<mel.frameSize).map { index -> Double in
            let place = frame * mel.hop + index - margin
            if samples.indices.contains(place) { return Double(samples[place]) }
            guard mel.centering == .reflect else { return 0 }
            let period = max(2 * (samples.count - 1), 1)
            let wrapped = ((place % period) + period) % period
            return Double(samples[min(wrapped, period - wrapped)])
        }
        if mel.removesMean {
            let mean = values.reduce(0, +) / Double(values.count)
            values = values.map { $0 - mean }
        }
        values = values.indices.map { values[$0] - mel.preEmphasis * values[max($0 - 1, 0)] }
        let period = Double(mel.isPeriodic ? mel.frameSize : mel.frameSize - 1)
        values = values.indices.map { values[$0] * (0.5 - 0.5 * cos(2 * .pi * Double($0) / period)) }
        let corners = (0...2).map { side -> Double in
            let (low, high) = (
                2595 * log10(1 + mel.frequencies.lowerBound / 700), 2595 * log10(1 + mel.frequencies.upperBound / 700)
            )
            return 700 * (pow(10, (low + (high - low) * Double(band + side) / Double(mel.bins + 1)) / 2595) - 1)
        }
        var energy = 0.0
        for line in 0...(mel.transformSize / 2) {
            let hertz = Double(line * mel.sampleRate) / Double(mel.transformSize)
            let weight = min(
                (hertz - corners[0]) / (corners[1] - corners[0]), (corners[2] - hertz) / (corners[2] - corners[1]))
            guard weight > 0 else { continue }
            var (real, imaginary) = (0.0, 0.0)
            for (index, value) in values.enumerated() {
                let angle = 2 * .pi * Double(line * index % mel.transformSize) / Double(mel.transformSize)
                real += value * cos(angle)
                imaginary -= value * sin(angle)
            }
            energy += weight * (real * real + imaginary * imaginary)
        }
        return log(max(energy, mel.floor))
    }

    @Test(arguments: [60, 90, 100, 128, 180, 1000])
    func equalsThePlainDefinition(_ transformSize: Int) throws {
        var mel = MelSpectrogram(
            sampleRate: 8_000, transformSize: transformSize, frameSize: transformSize * 4 / 5, hop: transformSize / 3,
            removesMean: true, preEmphasis: 0.9, bins: 5, frequencies: 100...3_900, scale: .htk,
            logarithm: .natural, floor: 1e-12)
        let samples = AudioGolden.sound(count: 1_700, number: 3)
        for centering in MelSpectrogram.Centering.allCases {
            mel.centering = centering
            let result = try mel(samples)
            #expect(result.frames == mel.frameCount(samples: samples.count))
            for frame in Set([0, 1, result.frames / 2, result.frames - 1]) {
                for band in 0..<mel.bins {
                    let expected = reference(mel, samples, frame: frame, band: band)
                    #expect(abs(Double(result.values[frame * mel.bins + band]) - expected) < 2e-6)
                }
            }
        }
    }

    @Test func aSoundShorterThanTheMarginIsMirroredAgainAndAgain() throws {
        let mel = MelSpectrogram(
            sampleRate: 8_000, transformSize: 64, hop: 16, bins: 3, frequencies: 0...4_000, scale: .htk,
            logarithm: .natural, floor: 1e-12)
        for count in [1, 2, 3, 7] {
            let samples = AudioGolden.sound(count: count, number: 1)
            let result = try mel(samples)
            for band in 0..<3 {
                #expect(abs(Double(result.values[band]) - reference(mel, samples, frame: 0, band: band)) < 2e-6)
            }
        }
    }

    @Test func framesDoNotDependOnTheirNeighbours() throws {
        // Vectors hold several frames, the last ones fewer: each must be the same anywhere.
        let mel = AudioPreprocessing.speech.mel
        let samples = AudioGolden.sound(count: 16_000, number: 2)
        let whole = try mel(samples)
        for count in [8_000, 8_160, 8_320, 8_480, 9_000] {
            let part = try mel([Float](samples[..<count]))
            // Without those that see the end.
            let same = (part.frames - 3) * mel.bins
            #expect(part.values[..<same] == whole.values[..<same])
        }
    }

    @Test func valuesThatMakeNoSpectrogram() {
        func expectRefused(_ change: (inout MelSpectrogram) -> Void, sourceLocation: SourceLocation = #_sourceLocation)
        {
            var mel = AudioPreprocessing.whisper().mel
            change(&mel)
            #expect(sourceLocation: sourceLocation) {
                try mel([0, 1, 0])
            } throws: {
                ($0 as? ConcordError)?.code == .invalidConfiguration
            }
        }
        expectRefused { $0.transformSize = 401 }
        expectRefused { $0.transformSize = 2 * 7 * 11 }
        expectRefused { $0.transformSize = 0 }
        expectRefused { $0.frameSize = 401 }
        expectRefused { $0.hop = 0 }
        expectRefused { $0.bins = 0 }
        expectRefused { $0.frequencies = 0...8_001 }
        expectRefused { $0.frequencies = 100...100 }
        expectRefused { $0.floor = 0 }
        expectRefused { $0.floor = .nan }
        expectRefused { $0.range = -1 }
        expectRefused { $0.deviation = 0 }
        expectRefused { $0.preEmphasis = 2 }
        expectRefused { $0.sampleRate = 0 }
    }
}
