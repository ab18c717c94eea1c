import ConcordCore

/// How a sound becomes a picture of frequencies over time: every front end of the audio models as one value.
///
/// Each frame is windowed and transformed, the power of its lines is gathered in mel bands, and the bands' logarithms are
/// scaled. Transform and bands are computed in double precision (transformers' `audio_utils.spectrogram`, librosa,
/// Kaldi); the result is single.
public struct MelSpectrogram: Sendable, Hashable {
    /// What a frame is multiplied by.
    public enum Window: String, Sendable, Hashable, CaseIterable {
        case hann, hamming
        /// Kaldi's: Hann's to the power 0.85.
        case povey
    }

    /// Where frames begin and end.
    public enum Centering: String, Sendable, Hashable, CaseIterable {
        /// Frames lie within the sound; what is left at its end is dropped.
        case none
        /// The middle of frame i is sample `i · hop`; the sound goes on as its mirror image.
        case reflect
        /// As `reflect`, and the sound goes on as silence.
        case zeros
    }

    /// The mel scale, whose bands all have the same width.
    public enum Scale: String, Sendable, Hashable, CaseIterable {
        /// `2595 · log₁₀(1 + f / 700)`.
        case htk
        /// Linear up to 1 kHz, then logarithmic (Slaney's Auditory Toolbox, librosa).
        case slaney
        /// `1127 · ln(1 + f / 700)`.
        case kaldi
    }

    /// The logarithm of a band's energy.
    public enum Logarithm: String, Sendable, Hashable, CaseIterable {
        case natural, base10
        /// Ten times that to the base 10.
        case decibels
    }

    /// Samples a second.
    public var sampleRate: Int
    /// Points of the Fourier transform: even, and its half has no prime factor but 2, 3 and 5.
    public var transformSize: Int
    /// Samples of a frame, at most `transformSize`; the transform sees zeros behind them.
    public var frameSize: Int
    /// Samples from one frame to the next.
    public var hop: Int
    public var window: Window
    /// Whether the window's period is `frameSize`; else it is symmetric.
    public var isPeriodic: Bool
    public var centering: Centering
    /// Whether the last frame is left out, as Whisper does.
    public var dropsLastFrame: Bool
    /// Whether each frame's mean is taken from it.
    public var removesMean: Bool
    /// The part of its predecessor that is taken from each sample of a frame; 0 for none.
    public var preEmphasis: Double
    /// The number of mel bands.
    public var bins: Int
    /// From where the first band begins to where the last one ends, in Hz.
    public var frequencies: ClosedRange<Double>
    public var scale: Scale
    /// Whether a band's weights are divided by half its width in Hz (Slaney).
    public var isAreaNormalized: Bool
    /// Whether a band is a triangle over mels (Kaldi), not over Hz.
    public var hasTrianglesInMels: Bool
    public var logarithm: Logarithm
    /// Energies below it count as this much.
    public var floor: Double
    /// The logarithm's lowest value, counted from the highest of the whole sound; nil for none.
    public var range: Double?
    /// The result is `(logarithm − mean) / deviation`.
    public var mean, deviation: Double

    public init(
        sampleRate: Int, transformSize: Int, frameSize: Int? = nil, hop: Int, window: Window = .hann,
        isPeriodic: Bool = true, centering: Centering = .reflect, dropsLastFrame: Bool = false,
        removesMean: Bool = false, preEmphasis: Double = 0, bins: Int, frequencies: ClosedRange<Double>,
        scale: Scale, isAreaNormalized: Bool = false, hasTrianglesInMels: Bool = false,
        logarithm: Logarithm = .decibels, floor: Double = 1e-10, range: Double? = nil, mean: Double = 0,
        deviation: Double = 1
    ) {
        self.sampleRate = sampleRate
        self.transformSize = transformSize
        self.frameSize = frameSize ?? transformSize
        self.hop = hop
        self.window = window
        self.isPeriodic = isPeriodic
        self.centering = centering
        self.dropsLastFrame = dropsLastFrame
        self.removesMean = removesMean
        self.preEmphasis = preEmphasis
        self.bins = bins
        self.frequencies = frequencies
        self.scale = scale
        self.isAreaNormalized = isAreaNormalized
        self.hasTrianglesInMels = hasTrianglesInMels
        self.logarithm = logarithm
        self.floor = floor
        self.range = range
        self.mean = mean
        self.deviation = deviation
    }

    /// The spectrogram of a sound's samples. For many sounds, make an ``AudioExtractor`` once: it keeps the tables.
    ///
    /// Throws `.invalidConfiguration` for values that make no spectrogram.
    public func callAsFunction(_ samples: [Float]) throws(ConcordError) -> MelFrames {
        let plan = try MelPlan(self)
        var frames = plan.frames(of: samples)
        plan.normalize(&frames.values)
        return frames
    }

    /// The number of frames of so many samples.
    public func frameCount(samples: Int) -> Int {
        guard samples > 0 else { return 0 }
        let length = samples + (centering == .none ? 0 : 2 * (frameSize / 2))
        guard length >= frameSize else { return 0 }
        return max(0, 1 + (length - frameSize) / hop - (dropsLastFrame ? 1 : 0))
    }

    /// Throws `.invalidConfiguration` for values that make no spectrogram.
    func validate() throws(ConcordError) {
        func check(_ isValid: Bool, _ name: String, _ value: some Any, _ advice: String) throws(ConcordError) {
            guard !isValid else { return }
            throw ConcordError(.invalidConfiguration, "the mel spectrogram's \(name) is \(value); \(advice)")
        }
        try check((1...1_000_000).contains(sampleRate), "sample rate", sampleRate, "write one such as 16000")
        try check(
            (2...65_536).contains(transformSize) && transformSize % 2 == 0 && Self.hasSmallFactors(transformSize / 2),
            "transform size", transformSize,
            "write an even number of at most 65536 whose half has no prime factor but 2, 3 and 5, such as 400 or 1024")
        try check(
            (1...transformSize).contains(frameSize), "frame size", frameSize,
            "write a number of samples from 1 to the transform size, \(transformSize)")
        try check((1...65_536).contains(hop), "hop", hop, "write a number of samples from 1 to 65536")
        try check((1...4_096).contains(bins), "number of bins", bins, "write one from 1 to 4096")
        try check(
            frequencies.lowerBound >= 0 && frequencies.lowerBound < frequencies.upperBound
                && frequencies.upperBound <= Double(sampleRate) / 2,
            "frequency range", "\(frequencies.lowerBound)…\(frequencies.upperBound) Hz",
            "write one within 0…\(Double(sampleRate) / 2) Hz")
        try check((0...1).contains(preEmphasis), "pre-emphasis", preEmphasis, "write one from 0 to 1")
        try check(floor.isNormal && floor > 0, "floor", floor, "write a number above 0, such as 1e-10")
        try check(range.map { $0 > 0 } ?? true, "range", range ?? 0, "write a number above 0, or leave it out")
        try check(mean.isFinite, "mean", mean, "write a number")
        try check(
            Float(deviation).isFinite && Float(deviation) != 0, "deviation", deviation, "write a number that is not 0")
    }

    private static func hasSmallFactors(_ number: Int) -> Bool {
        var rest = number
        for factor in [2, 3, 5] { while rest % factor == 0 { rest /= factor } }
        return rest == 1
    }
}

/// A spectrogram: the bands of one frame side by side.
public struct MelFrames: Sendable, Hashable {
    /// `[frames, bins]`.
    public var values: [Float]
    public let frames, bins: Int

    public init(values: [Float], frames: Int, bins: Int) {
        precondition(values.count == frames * bins, "\(values.count) values are not \(frames) frames of \(bins)")
        self.values = values
        self.frames = frames
        self.bins = bins
    }
}
