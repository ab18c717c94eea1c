import ConcordCore

/// The random changes of a training sound: a band filter, noise and gain on its samples; warped frequencies and masks on
/// its features. Nothing is changed unless asked for.
///
/// What is drawn depends on the seed, the epoch and the sample's number alone: not on the batch, the thread, or where a run
/// was resumed.
public struct AudioAugmentation: Sendable, Hashable {
    /// The probability that low and high frequencies are cut off.
    public var bandProbability = 0.0
    /// Where a second-order high pass begins, and a low pass ends, in Hz.
    public var lowCuts: ClosedRange<Double> = 50...500
    public var highCuts: ClosedRange<Double> = 2_500...7_500
    /// The probability of noise, anything from white to rumbling.
    public var noiseProbability = 0.0
    /// How much louder the sound is than the noise, in decibels.
    public var noiseRatios: ClosedRange<Double> = 5...40
    /// What the sound is amplified by, in decibels.
    public var gains: ClosedRange<Double> = 0...0
    /// The frequency axis is stretched or squeezed by up to this fraction, below 1 (as vocal tracts differ in length; Jaitly
    /// & Hinton 2013).
    public var warp = 0.0
    /// The number of masks over bands, and the most bands of each (SpecAugment, Park et al. 2019).
    public var bandMasks = 0
    public var largestBandMask = 8
    /// The number of masks over frames, and the most of the sound that each takes.
    public var timeMasks = 0
    public var largestTimeMask = 0.1

    public init() {}

    /// What makes a speech tower hear other voices and rooms: warp of 15 %, noise, band filters, gain and masks.
    public static let speech: AudioAugmentation = {
        var augmentation = AudioAugmentation()
        augmentation.bandProbability = 0.5
        augmentation.noiseProbability = 0.7
        augmentation.gains = -12...6
        augmentation.warp = 0.15
        augmentation.bandMasks = 1
        augmentation.timeMasks = 1
        return augmentation
    }()

    /// A changed copy of a sound's samples.
    public func callAsFunction(_ clip: AudioClip, seed: UInt64, epoch: Int, sampleID: Int) -> AudioClip {
        var random = Self.random(seed: seed, epoch: epoch, sampleID: sampleID, purpose: 0)
        var samples = clip.samples
        if random.uniform() < bandProbability {
            let low = random.uniform(lowCuts.lowerBound, lowCuts.upperBound)
            let high = random.uniform(highCuts.lowerBound, highCuts.upperBound)
            samples.filter(.highPass(low, rate: clip.sampleRate))
            // Near half the sample rate there is nothing left to cut off.
            if high < 0.45 * Double(clip.sampleRate) { samples.filter(.lowPass(high, rate: clip.sampleRate)) }
        }
        if random.uniform() < noiseProbability {
            addNoise(to: &samples, ratio: random.uniform(noiseRatios.lowerBound, noiseRatios.upperBound), &random)
        }
        let gain = Float(pow(10, random.uniform(gains.lowerBound, gains.upperBound) / 20))
        if gain != 1 { samples.withUnsafeMutableBufferPointer { for index in $0.indices { $0[index] *= gain } } }
        return AudioClip(samples: samples, sampleRate: clip.sampleRate)
    }

    /// A changed copy of a sound's features: all channels in the same way.
    public func callAsFunction(
        _ features: AudioFeatures, seed: UInt64, epoch: Int, sampleID: Int
    ) -> AudioFeatures {
        var random = Self.random(seed: seed, epoch: epoch, sampleID: sampleID, purpose: 1)
        var features = features
        if warp > 0 { features.warpBins(by: 1 + random.uniform(-warp, warp)) }
        let (bins, length) = (features.bins, features.length)
        guard bandMasks > 0 || timeMasks > 0, !features.values.isEmpty else { return features }
        // The mean says the least.
        let mean = Float(features.values.reduce(0.0) { $0 + Double($1) } / Double(features.values.count))
        for _ in 0..<bandMasks {
            let width = random.index(below: min(largestBandMask, bins) + 1)
            let start = random.index(below: bins - width + 1)
            features.fill(frames: 0..<length, bins: start..<(start + width), with: mean)
        }
        for _ in 0..<timeMasks {
            let width = random.index(below: Int(Double(length) * min(max(largestTimeMask, 0), 1)) + 1)
            let start = random.index(below: length - width + 1)
            features.fill(frames: start..<(start + width), bins: 0..<bins, with: mean)
        }
        return features
    }

    private static func random(seed: UInt64, epoch: Int, sampleID: Int, purpose: UInt64) -> RandomSource {
        RandomSource(
            seed: seed, stream: 0x736F_756E_6473, purpose, UInt64(bitPattern: Int64(epoch)),
            UInt64(bitPattern: Int64(sampleID)))
    }

    private func addNoise(to samples: inout [Float], ratio: Double, _ random: inout RandomSource) {
        // How much each number keeps of the one before: 0 for white noise.
        let memory = Float(random.uniform(0, 0.95))
        let power = samples.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(max(samples.count, 1))
        guard power > 0 else { return }
        let deviation = Float((power / pow(10, ratio / 10)).squareRoot())
        let fresh = (1 - memory * memory).squareRoot()
        var noise: Float = 0
        samples.withUnsafeMutableBufferPointer { samples in
            for index in samples.indices {
                noise = memory * noise + fresh * random.nearlyNormal()
                samples[index] += deviation * noise
            }
        }
    }
}

extension RandomSource {
    /// The sum of four uniform numbers, of mean 0 and deviation 1: near enough to a normal one for noise, and quick.
    fileprivate mutating func nearlyNormal() -> Float {
        let bits = next()
        let sum = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
        return (Float(sum) / 65_535 - 2) * Float(3).squareRoot()
    }
}

/// A recursive filter of second order, with Butterworth's flat pass band (Bristow-Johnson's cookbook).
private struct Biquad {
    let b0, b1, b2, a1, a2: Double

    static func lowPass(_ frequency: Double, rate: Int) -> Biquad { Biquad(frequency, rate: rate, sign: 1) }
    static func highPass(_ frequency: Double, rate: Int) -> Biquad { Biquad(frequency, rate: rate, sign: -1) }

    private init(_ frequency: Double, rate: Int, sign: Double) {
        let angle = 2 * .pi * frequency / Double(rate)
        let cosine = cos(angle)
        let alpha = sin(angle) / 2.0.squareRoot()
        let a0 = 1 + alpha
        b0 = (1 - sign * cosine) / 2 / a0
        b1 = sign * (1 - sign * cosine) / a0
        b2 = b0
        a1 = -2 * cosine / a0
        a2 = (1 - alpha) / a0
    }
}

extension [Float] {
    fileprivate mutating func filter(_ filter: Biquad) {
        var (first, second) = (0.0, 0.0)
        withUnsafeMutableBufferPointer { samples in
            for index in samples.indices {
                let input = Double(samples[index])
                let output = filter.b0 * input + first
                first = filter.b1 * input - filter.a1 * output + second
                second = filter.b2 * input - filter.a2 * output
                samples[index] = Float(output)
            }
        }
    }
}

extension AudioFeatures {
    /// Moves the content of band `b · factor` to band `b`, mixed of the two nearest; the last band goes on beyond its end.
    fileprivate mutating func warpBins(by factor: Double) {
        let bins = bins
        let places = (0..<bins).map { bin -> (lower: Int, upper: Int, part: Float) in
            let place = min(max((Double(bin) + 0.5) * factor - 0.5, 0), Double(bins - 1))
            let lower = Int(place)
            return (lower, min(lower + 1, bins - 1), Float(place - Double(lower)))
        }
        var row = [Float](repeating: 0, count: bins)
        values.withUnsafeMutableBufferPointer { values in
            for start in stride(from: 0, to: values.count, by: bins) {
                for bin in 0..<bins { row[bin] = values[start + bin] }
                for (bin, place) in places.enumerated() {
                    values[start + bin] = row[place.lower] + place.part * (row[place.upper] - row[place.lower])
                }
            }
        }
    }

    fileprivate mutating func fill(frames: Range<Int>, bins: Range<Int>, with value: Float) {
        for channel in 0..<channels {
            for frame in frames {
                for bin in bins { values[(channel * self.frames + frame) * self.bins + bin] = value }
            }
        }
    }
}
