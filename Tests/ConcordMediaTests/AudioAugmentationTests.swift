import ConcordCore
import ConcordMedia
import Foundation
import Testing

/// Random changes of training sounds: what each does, and that only seed, epoch and sample choose them.
struct AudioAugmentationTests {
    private func tone(_ frequency: Double, count: Int = 16_000) -> AudioClip {
        AudioClip(
            samples: (0..<count).map { Float(0.5 * sin(2 * .pi * frequency * Double($0) / 16_000)) },
            sampleRate: 16_000)
    }

    private func power(_ samples: some Collection<Float>) -> Double {
        samples.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(samples.count)
    }

    private func decibels(_ ratio: Double) -> Double { 10 * log10(ratio) }

    /// Frames that rise over the bands by 1 each, and by nothing over time.
    private func ramp(frames: Int = 50, bins: Int = 40, length: Int = 50) -> AudioFeatures {
        AudioFeatures(
            values: (0..<(frames * bins)).map { Float($0 % bins) }, frames: frames, bins: bins, length: length)
    }

    @Test func nothingIsChangedUnlessAskedFor() {
        let augmentation = AudioAugmentation()
        #expect(augmentation(tone(300), seed: 1, epoch: 2, sampleID: 3) == tone(300))
        #expect(augmentation(ramp(), seed: 1, epoch: 2, sampleID: 3) == ramp())
    }

    @Test func seedEpochAndSampleChoose() async {
        let augmentation = AudioAugmentation.speech
        let clip = tone(500)
        let features = ramp()
        var clips: Set<AudioClip> = []
        var changed: Set<AudioFeatures> = []
        let keys: [(UInt64, Int, Int)] = [(1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1), (1, 1, 1), (0, 1, 0), (0, 0, 1)]
        for (seed, epoch, sample) in keys {
            clips.insert(augmentation(clip, seed: seed, epoch: epoch, sampleID: sample))
            changed.insert(augmentation(features, seed: seed, epoch: epoch, sampleID: sample))
        }
        #expect(clips.count == keys.count)
        #expect(changed.count == keys.count)
        // Again, on other threads and in another order.
        await withTaskGroup(of: Bool.self) { [clips, changed] group in
            for (seed, epoch, sample) in keys.reversed() {
                group.addTask {
                    clips.contains(augmentation(clip, seed: seed, epoch: epoch, sampleID: sample))
                        && changed.contains(augmentation(features, seed: seed, epoch: epoch, sampleID: sample))
                }
            }
            for await isSame in group { #expect(isSame) }
        }
    }

    @Test func gainIsInDecibels() {
        var augmentation = AudioAugmentation()
        augmentation.gains = -6 ... -6
        let changed = augmentation(tone(300), seed: 1, epoch: 0, sampleID: 0)
        #expect(abs(decibels(power(changed.samples) / power(tone(300).samples)) + 6) < 1e-4)
    }

    @Test(arguments: [0.0, 10, 30])
    func noiseIsAsLoudAsAskedFor(_ ratio: Double) {
        var augmentation = AudioAugmentation()
        augmentation.noiseProbability = 1
        augmentation.noiseRatios = ratio...ratio
        let clip = tone(300, count: 160_000)
        var whiteness: Set<Int> = []
        for sample in 0..<6 {
            let changed = augmentation(clip, seed: 4, epoch: 0, sampleID: sample)
            let noise = zip(changed.samples, clip.samples).map { $0 - $1 }
            // Slow noise fills a clip less evenly.
            #expect(abs(decibels(power(clip.samples) / power(noise)) - ratio) < 0.5)
            let neighbors = zip(noise, noise.dropFirst()).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
            whiteness.insert(Int(10 * neighbors / Double(noise.count) / power(noise)))
        }
        #expect(whiteness.count > 2)
        let silence = AudioClip(samples: [Float](repeating: 0, count: 100), sampleRate: 16_000)
        #expect(augmentation(silence, seed: 4, epoch: 0, sampleID: 0) == silence)
    }

    @Test func bandFiltersCutOffWhatLiesOutside() {
        var augmentation = AudioAugmentation()
        augmentation.bandProbability = 1
        augmentation.lowCuts = 400...400
        augmentation.highCuts = 3_000...3_000
        func change(_ frequency: Double) -> Double {
            let changed = augmentation(tone(frequency), seed: 1, epoch: 0, sampleID: 0)
            return decibels(power(changed.samples.dropFirst(4_000)) / power(tone(frequency).samples.dropFirst(4_000)))
        }
        // Half the power at the corners; 12 dB an octave.
        #expect(abs(change(400) + 3) < 0.1)
        #expect(abs(change(3_000) + 3) < 0.1)
        #expect(abs(change(1_100)) < 0.2)
        #expect(abs(change(100) + 24) < 0.5)
        #expect(change(6_000) < -12)
    }

    @Test func warpStretchesFrequencies() {
        var augmentation = AudioAugmentation()
        augmentation.warp = 0.15
        var factors: [Double] = []
        for sample in 0..<200 {
            let changed = augmentation(ramp(), seed: 9, epoch: 0, sampleID: sample)
            // On a ramp, band b has the value of its source, (b + ½) · factor − ½, up to the last one.
            let factor = (Double(changed.values[20]) + 0.5) / 20.5
            factors.append(factor)
            for bin in 0..<40 {
                let place = min(max((Double(bin) + 0.5) * factor - 0.5, 0), 39)
                #expect(abs(Double(changed.values[49 * 40 + bin]) - place) < 1e-4)
            }
        }
        #expect(factors.allSatisfy { (0.85...1.15).contains($0) })
        #expect((factors.min() ?? 1) < 0.87 && (factors.max() ?? 1) > 1.13)
    }

    @Test func masksCoverBandsAndFramesWithTheMean() {
        var augmentation = AudioAugmentation()
        augmentation.bandMasks = 1
        augmentation.largestBandMask = 5
        augmentation.timeMasks = 1
        augmentation.largestTimeMask = 0.2
        let features = ramp(frames: 50, bins: 40, length: 30)
        let mean: Float = 19.5
        var (widest, longest) = (0, 0)
        for sample in 0..<200 {
            let changed = augmentation(features, seed: 2, epoch: 0, sampleID: sample)
            // Padding stays; within the sound, whole bands and whole frames are covered.
            #expect(changed.values[(30 * 40)...] == features.values[(30 * 40)...])
            let bands = (0..<40).filter { bin in (0..<30).allSatisfy { changed.values[$0 * 40 + bin] == mean } }
            let frames = (0..<30).filter { frame in (0..<40).allSatisfy { changed.values[frame * 40 + $0] == mean } }
            let covered = changed.values.count { $0 == mean }
            #expect(covered == bands.count * 30 + frames.count * 40 - bands.count * frames.count)
            #expect(bands.count <= 5 && frames.count <= 6)
            widest = max(widest, bands.count)
            longest = max(longest, frames.count)
        }
        #expect(widest == 5 && longest == 6)
    }

    @Test func allChannelsAreChangedAlike() {
        let ramp = ramp()
        let fused = AudioFeatures(
            values: ramp.values + ramp.values, channels: 2, frames: ramp.frames, bins: ramp.bins, length: ramp.length)
        let changed = AudioAugmentation.speech(fused, seed: 3, epoch: 1, sampleID: 7)
        #expect(changed.values.prefix(ramp.values.count) == changed.values.suffix(ramp.values.count))
    }
}
