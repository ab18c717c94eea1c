import ConcordCore

/// Makes the features of many sounds, on any number of threads, with tables that are made once.
public struct AudioExtractor: Sendable {
    public let preprocessing: AudioPreprocessing
    private let plan: MelPlan

    /// Throws `.invalidConfiguration` for values that make no features.
    init(_ preprocessing: AudioPreprocessing) throws(ConcordError) {
        try preprocessing.clip.validate()
        plan = try MelPlan(preprocessing.mel)
        self.preprocessing = preprocessing
    }

    private var mel: MelSpectrogram { preprocessing.mel }

    /// The features of a sound, resampled where it has another rate.
    ///
    /// `sampleID` and `epoch` choose the part that is taken of a longer sound. Throws `.invalidAudio` for a sound without
    /// samples, too short for a frame, or with NaN or infinity.
    public func callAsFunction(
        _ sound: AudioClip, sampleID: Int = 0, epoch: Int = 0
    ) throws(ConcordError) -> AudioFeatures {
        guard !sound.samples.isEmpty else {
            throw ConcordError(.invalidAudio, "the sound has no samples; leave it out, or give another")
        }
        guard sound.samples.allAreFinite else {
            throw ConcordError(
                .invalidAudio, "the sound holds NaN or infinity among its samples; make it anew or leave it out")
        }
        var sound = try sound.resampled(to: mel.sampleRate)
        if preprocessing.roundsTo16Bits { sound = sound.roundedTo16Bits }
        var choice = ClipChoice(sampleID: sampleID, epoch: epoch)
        var features =
            switch preprocessing.clip {
            case .whole: try whole(sound.samples)
            case .frames(let count): try frames(sound.samples, count: count)
            case .samples(let count, let short, let long):
                try samples(sound.samples, count: count, short, long, &choice)
            }
        plan.normalize(&features.values)
        return features
    }

    private func whole(_ samples: [Float]) throws(ConcordError) -> AudioFeatures {
        try checkLength(samples.count)
        let frames = plan.frames(of: samples)
        return AudioFeatures(values: frames.values, frames: frames.frames, bins: mel.bins, length: frames.frames)
    }

    private func frames(_ samples: [Float], count: Int) throws(ConcordError) -> AudioFeatures {
        try checkLength(samples.count)
        // Not more of it than is kept, but for a highest value that may be anywhere.
        let most = mel.range == nil ? mel.frameSize + (count + 1) * mel.hop : Int.max
        var frames = plan.frames(of: samples.count <= most ? samples : Array(samples[..<most]))
        let length = min(frames.frames, count)
        frames.values.removeLast((frames.frames - length) * mel.bins)
        frames.values += repeatElement(0, count: (count - length) * mel.bins)
        return AudioFeatures(values: frames.values, frames: count, bins: mel.bins, length: length)
    }

    private func samples(
        _ samples: [Float], count: Int, _ short: ClipRule.ShortRule, _ long: ClipRule.LongRule,
        _ choice: inout ClipChoice
    ) throws(ConcordError) -> AudioFeatures {
        try checkLength(count)
        if long == .thirds && samples.count > count { return thirds(samples, count: count, &choice) }
        var filled = count
        let start = long == .crop && samples.count > count ? choice.start(last: samples.count - count) : 0
        let kept = min(samples.count, count)
        let frames = samples.withUnsafeBufferPointer { sound in
            plan.frames(of: count) { target in
                filled = short.fill(
                    target, count: count, from: UnsafeBufferPointer(rebasing: sound[start..<(start + kept)]))
                return filled
            }
        }
        let channels = preprocessing.clip.channels
        return AudioFeatures(
            values: channels == 1 ? frames.values : Array(repeatElement(frames.values, count: channels).joined()),
            channels: channels, frames: frames.frames, bins: mel.bins,
            // Of a padded sound, those whose hop begins within it.
            length: filled < count ? min(frames.frames, (filled + mel.hop - 1) / mel.hop) : frames.frames,
            isLonger: samples.count > count)
    }

    /// The four channels of a sound that is longer than `count` samples.
    private func thirds(_ samples: [Float], count: Int, _ choice: inout ClipChoice) -> AudioFeatures {
        let all = plan.frames(of: samples)
        let kept = mel.frameCount(samples: count)
        // Longer by less than a frame is not longer.
        let isLonger = all.frames > kept
        var values: [Float] = []
        values.reserveCapacity(4 * kept * mel.bins)
        if isLonger {
            values += all.shrunk(to: kept)
            for start in choice.thirds(last: all.frames - kept) { values += all.part(from: start, count: kept) }
        } else {
            for _ in 0..<4 { values += all.values }
        }
        return AudioFeatures(
            values: values, channels: 4, frames: kept, bins: mel.bins, length: kept, isLonger: isLonger)
    }

    private func checkLength(_ samples: Int) throws(ConcordError) {
        guard mel.frameCount(samples: samples) == 0 else { return }
        throw ConcordError(
            .invalidAudio,
            "the sound has \(samples) samples at \(mel.sampleRate) Hz, too few for a frame of \(mel.frameSize); leave "
                + "it out, or give a longer one")
    }
}

extension AudioClip {
    /// Cut to -1…1 and rounded to 16 bits, towards 0 (LAION).
    fileprivate var roundedTo16Bits: AudioClip {
        AudioClip(
            samples: samples.map { (min(max($0, -1), 1) * 32767).rounded(.towardZero) / 32767 }, sampleRate: sampleRate)
    }
}
