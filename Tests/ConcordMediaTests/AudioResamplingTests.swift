import ConcordCore
import ConcordMedia
import Foundation
import Testing

/// Sample rates: lengths as librosa's, and the quality of soxr_hq.
struct AudioResamplingTests {
    private func tone(_ frequency: Double, rate: Int, seconds: Double = 1) -> AudioClip {
        AudioClip(
            samples: (0..<Int(seconds * Double(rate))).map {
                Float(sin(2 * .pi * frequency * Double($0) / Double(rate)))
            }, sampleRate: rate)
    }

    /// The root mean square of what differs from a tone, in decibels, without the first and last tenths of the sound.
    private func error(_ clip: AudioClip, from frequency: Double, amplitude: Double = 1) -> Double {
        let margin = clip.samples.count / 10
        let middle = margin..<(clip.samples.count - margin)
        let sum = middle.reduce(0.0) { sum, index in
            let ideal = amplitude * sin(2 * .pi * frequency * Double(index) / Double(clip.sampleRate))
            return sum + pow(Double(clip.samples[index]) - ideal, 2)
        }
        return 10 * log10(sum / Double(middle.count))
    }

    @Test(arguments: [(44_100, 16_000), (8_000, 48_000), (48_000, 16_000), (22_050, 16_000), (16_000, 44_100)])
    func lengthsAreRoundedUp(_ from: Int, _ to: Int) throws {
        for count in [1, 2, 3, 441, 1_000, 44_101] {
            let clip = AudioClip(samples: [Float](repeating: 0.25, count: count), sampleRate: from)
            let resampled = try clip.resampled(to: to)
            #expect(resampled.samples.count == (count * to + from - 1) / from)
            #expect(resampled.sampleRate == to)
        }
    }

    @Test func tonesStay() throws {
        #expect(error(try tone(1_000, rate: 44_100).resampled(to: 16_000), from: 1_000) < -120)
        #expect(error(try tone(1_000, rate: 8_000).resampled(to: 48_000), from: 1_000) < -100)
        #expect(error(try tone(7_000, rate: 44_100).resampled(to: 16_000), from: 7_000) < -60)
    }

    @Test func whatTheRateCannotHoldGoes() throws {
        #expect(error(try tone(9_000, rate: 44_100).resampled(to: 16_000), from: 0, amplitude: 0) < -120)
    }

    @Test func theSameRateChangesNothing() throws {
        let clip = tone(300, rate: 16_000)
        #expect(try clip.resampled(to: 16_000) == clip)
    }

    @Test func ratesThatAreNone() {
        let clip = AudioClip(samples: [0, 1], sampleRate: 16_000)
        for rate in [0, -1, Int.max] {
            #expect {
                try clip.resampled(to: rate)
            } throws: {
                ($0 as? ConcordError)?.code == .invalidArgument
            }
        }
        #expect(throws: Never.self) { try AudioClip(samples: [], sampleRate: 16_000).resampled(to: 8_000) }
    }
}
