import ConcordCore

/// The preprocessing of a model's sounds: sample rate, length, mel spectrogram.
///
/// The same values train, evaluate and serve. Those of CLAP, Whisper and AST equal transformers' feature extractors to
/// 1e-5 dB.
public struct AudioPreprocessing: Sendable, Hashable {
    public var clip: ClipRule
    public var mel: MelSpectrogram
    /// Whether samples are cut to -1…1 and rounded to 16 bits first, as LAION's own training did; transformers does not.
    public var roundsTo16Bits: Bool

    public init(clip: ClipRule, mel: MelSpectrogram, roundsTo16Bits: Bool = false) {
        self.clip = clip
        self.mel = mel
        self.roundsTo16Bits = roundsTo16Bits
    }

    /// In Hz; sounds of another rate are resampled.
    public var sampleRate: Int { mel.sampleRate }

    /// The features of a sound, resampled where it has another rate. For many sounds, make an ``extractor()`` once.
    ///
    /// `sampleID` and `epoch` choose the part that is taken of a longer sound. Throws `.invalidAudio` for a sound without
    /// samples, too short for a frame, or with NaN or infinity; `.invalidConfiguration` for values that make no features.
    public func callAsFunction(
        _ sound: AudioClip, sampleID: Int = 0, epoch: Int = 0
    ) throws(ConcordError) -> AudioFeatures {
        try extractor()(sound, sampleID: sampleID, epoch: epoch)
    }

    /// What makes features, with all tables made. Throws `.invalidConfiguration` for values that make no features.
    public func extractor() throws(ConcordError) -> AudioExtractor { try AudioExtractor(self) }
}

/// What a model hears of a sound.
public struct AudioFeatures: Sendable, Hashable {
    /// `[channels, frames, bins]`.
    public var values: [Float]
    public let channels, frames, bins: Int
    /// The frames, from the first on, that are not padding.
    public let length: Int
    /// Whether the sound was longer than the clip rule's length; in fused CLAP, whether the four channels differ.
    public let isLonger: Bool

    public init(values: [Float], channels: Int = 1, frames: Int, bins: Int, length: Int, isLonger: Bool = false) {
        precondition(
            values.count == channels * frames * bins,
            "\(values.count) values are not \(channels) × \(frames) frames of \(bins)")
        self.values = values
        self.channels = channels
        self.frames = frames
        self.bins = bins
        self.length = length
        self.isLonger = isLonger
    }
}

// MARK: - Front ends of known models

extension AudioPreprocessing {
    /// CLAP: 48 kHz, 10 s, repeated and then padded, 1,001 frames of 64 bands, in decibels.
    ///
    /// Unfused, a longer sound is cropped, and the bands are Slaney's; fused, there are four channels, and the bands are
    /// HTK's.
    public static func clap(fused: Bool = false) -> AudioPreprocessing {
        AudioPreprocessing(
            clip: .samples(480_000, short: .repeatPad, long: fused ? .thirds : .crop),
            mel: MelSpectrogram(
                sampleRate: 48_000, transformSize: 1024, hop: 480, bins: 64, frequencies: 50...14_000,
                scale: fused ? .htk : .slaney, isAreaNormalized: !fused))
    }

    /// Whisper: 16 kHz, 30 s, padded with silence, 3,000 frames of 80 bands, or of 128 (large-v3).
    public static func whisper(bins: Int = 80) -> AudioPreprocessing {
        AudioPreprocessing(
            clip: .samples(480_000, short: .pad, long: .start),
            mel: MelSpectrogram(
                sampleRate: 16_000, transformSize: 400, hop: 160, dropsLastFrame: true, bins: bins,
                frequencies: 0...8_000, scale: .slaney, isAreaNormalized: true, logarithm: .base10, range: 8,
                mean: -4, deviation: 4))
    }

    /// AST: 16 kHz, 1,024 frames of 128 bands as Kaldi makes them.
    public static let ast = AudioPreprocessing(
        clip: .frames(1024),
        mel: MelSpectrogram(
            sampleRate: 16_000, transformSize: 512, frameSize: 400, hop: 160, isPeriodic: false, centering: .none,
            removesMean: true, preEmphasis: 0.97, bins: 128, frequencies: 20...8_000, scale: .kaldi,
            hasTrianglesInMels: true, logarithm: .natural, floor: 1.192092955078125e-07, mean: -4.2677393,
            deviation: 2 * 4.5689974))

    /// Our own small tower for speech: 16 kHz, all of the sound, a frame of 25 ms every 10 ms, 64 bands.
    public static let speech = AudioPreprocessing(
        clip: .whole,
        mel: MelSpectrogram(
            sampleRate: 16_000, transformSize: 512, frameSize: 400, hop: 160, bins: 64, frequencies: 50...8_000,
            scale: .slaney, isAreaNormalized: true, logarithm: .natural, floor: 1e-6, mean: -8, deviation: 4))
}

extension AudioFeatures {
    /// The first frames; all of a sound that has no more.
    package func first(_ count: Int) -> AudioFeatures {
        guard frames > count else { return self }
        var values = [Float]()
        values.reserveCapacity(channels * count * bins)
        for channel in 0..<channels {
            let start = channel * frames * bins
            values += self.values[start..<start + count * bins]
        }
        return AudioFeatures(
            values: values, channels: channels, frames: count, bins: bins, length: min(length, count), isLonger: true)
    }
}
