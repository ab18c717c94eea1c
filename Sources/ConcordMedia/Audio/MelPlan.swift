import CKissFFT
import ConcordCore

/// The tables of a kind of spectrogram, made once.
final class MelPlan: @unchecked Sendable {  // Nothing of it changes, and KissFFT's plan is only read, see its header.
    let mel: MelSpectrogram
    private let plan: OpaquePointer
    /// The logarithm of each band of a silent frame.
    private let silence: Float

    /// Throws `.invalidConfiguration` for values that make no spectrogram.
    init(_ mel: MelSpectrogram) throws(ConcordError) {
        try mel.validate()
        let bank = MelFilterBank(mel)
        let scale =
            switch mel.logarithm {
            case .natural: 1.0
            case .base10: 1 / log(10.0)
            case .decibels: 10 / log(10.0)
            }
        let plan = mel.windowValues.withUnsafeBufferPointer { window in
            bank.first.withUnsafeBufferPointer { first in
                bank.counts.withUnsafeBufferPointer { counts in
                    bank.weights.withUnsafeBufferPointer { weights in
                        var settings = ckissfft_settings(
                            points: Int32(mel.transformSize), frame: Int32(mel.frameSize), hop: Int32(mel.hop),
                            removes_mean: mel.removesMean, pre_emphasis: mel.preEmphasis,
                            window: window.baseAddress, bands: Int32(mel.bins), first: first.baseAddress,
                            count: counts.baseAddress, weights: weights.baseAddress, floor: mel.floor, scale: scale)
                        return ckissfft_make(&settings)
                    }
                }
            }
        }
        guard let plan else {
            throw ConcordError(
                .unavailable,
                "there is no memory for a transform of \(mel.transformSize) points; free some")
        }
        var silence = [Float](repeating: 0, count: mel.bins)
        ckissfft_run(plan, [Float](repeating: 0, count: mel.frameSize), 1, &silence)
        self.silence = silence[0]
        self.plan = plan
        self.mel = mel
    }

    deinit { ckissfft_release(plan) }

    /// The logarithms of a sound's frames, before they are normalized.
    func frames(of samples: [Float]) -> MelFrames {
        frames(of: samples.count) { target in
            samples.withUnsafeBufferPointer { source in
                if let start = source.baseAddress { target.update(from: start, count: source.count) }
            }
            return samples.count
        }
    }

    /// The logarithms of the frames of a sound of `count` samples, all of which `fill` writes; it returns after how many
    /// there is only silence.
    func frames(of count: Int, writtenBy fill: (UnsafeMutablePointer<Float>) -> Int) -> MelFrames {
        let frames = mel.frameCount(samples: count)
        guard frames > 0 else { return MelFrames(values: [], frames: 0, bins: mel.bins) }
        let margin = mel.centering == .none ? 0 : mel.frameSize / 2
        var heard = frames
        let signal = [Float](unsafeUninitializedCapacity: count + 2 * margin) { buffer, initialized in
            if let start = buffer.baseAddress {
                let filled = fill(start + margin)
                extend(start, count: count, margin: margin)
                // Frames that begin behind it have nothing in them, also where the end is mirrored.
                if filled < count { heard = min(frames, (filled + margin) / mel.hop + 1) }
            }
            initialized = count + 2 * margin
        }
        var values = [Float](unsafeUninitializedCapacity: frames * mel.bins) { target, initialized in
            signal.withUnsafeBufferPointer { source in
                ckissfft_run(plan, source.baseAddress, Int64(heard), target.baseAddress)
            }
            target[(heard * mel.bins)..<(frames * mel.bins)].initialize(repeating: silence)
            initialized = frames * mel.bins
        }
        limitRange(&values)
        return MelFrames(values: values, frames: frames, bins: mel.bins)
    }

    /// Writes what precedes and follows a sound of `count` samples behind `margin` others.
    private func extend(_ start: UnsafeMutablePointer<Float>, count: Int, margin: Int) {
        for distance in stride(from: 1, through: margin, by: 1) {
            var (before, after) = (Float(0), Float(0))
            if mel.centering == .reflect {
                // A sound shorter than the margin is mirrored again and again.
                let period = max(2 * (count - 1), 1)
                let place = distance % period
                let mirrored = min(place, period - place)
                before = start[margin + mirrored]
                after = start[margin + count - 1 - mirrored]
            }
            start[margin - distance] = before
            start[margin + count - 1 + distance] = after
        }
    }

    private func limitRange(_ values: inout [Float]) {
        guard let range = mel.range else { return }
        values.withUnsafeMutableBufferPointer { values in
            // Eight at a time: the compiler does not do so by itself.
            var highest = SIMD8<Float>(repeating: -.infinity)
            let bytes = UnsafeRawBufferPointer(values)
            for offset in stride(from: 0, to: bytes.count - 31, by: 32) {
                let values = bytes.loadUnaligned(fromByteOffset: offset, as: SIMD8<Float>.self)
                highest.replace(with: values, where: values .> highest)
            }
            let lowest = values.suffix(values.count % 8).reduce(highest.max(), max) - Float(range)
            for index in values.indices { values[index] = max(values[index], lowest) }
        }
    }

    /// Takes the mean from logarithms and divides them by the deviation.
    func normalize(_ values: inout [Float]) {
        let (mean, deviation) = (Float(mel.mean), Float(mel.deviation))
        guard mean != 0 || deviation != 1 else { return }
        values.withUnsafeMutableBufferPointer { values in
            for index in values.indices { values[index] = (values[index] - mean) / deviation }
        }
    }
}
