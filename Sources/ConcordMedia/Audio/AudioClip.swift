import CSoxr
import ConcordCore

/// A sound of one channel.
public struct AudioClip: Sendable, Hashable {
    /// Sound pressure over time; full scale is -1…1, and float files may go beyond.
    public let samples: [Float]
    /// Samples a second.
    public let sampleRate: Int

    public init(samples: [Float], sampleRate: Int) {
        precondition(sampleRate > 0, "a sample rate is positive, got \(sampleRate)")
        self.samples = samples
        self.sampleRate = sampleRate
    }

    /// The length in seconds.
    public var duration: Double { Double(samples.count) / Double(sampleRate) }

    /// The sound at another sample rate, `⌈samples · rate / sampleRate⌉` samples: libsoxr's HQ, as librosa's `soxr_hq`.
    ///
    /// Throws `.invalidArgument` for a rate that is not positive, or so high that its samples cannot be counted.
    public func resampled(to rate: Int) throws(ConcordError) -> AudioClip {
        guard rate != sampleRate else { return self }
        let (product, overflows) = samples.count.multipliedReportingOverflow(by: max(rate, 0))
        guard rate > 0, !overflows else {
            throw ConcordError(
                .invalidArgument, "a sound cannot be resampled to \(rate) Hz; give a rate such as 16000")
        }
        let count = product / sampleRate + (product % sampleRate == 0 ? 0 : 1)
        guard count > 0 else { return AudioClip(samples: [], sampleRate: rate) }
        var written = 0
        var resampled = [Float](repeating: 0, count: count)
        samples.withUnsafeBufferPointer { source in
            resampled.withUnsafeMutableBufferPointer { target in
                written = soxr_seam_resample(
                    Double(sampleRate), Double(rate), source.baseAddress, source.count, target.baseAddress, count)
            }
        }
        guard written >= 0 else {
            throw ConcordError(
                .invalidArgument,
                "a sound of \(samples.count) samples at \(sampleRate) Hz cannot be resampled to \(rate) Hz; choose a "
                    + "nearer rate")
        }
        return AudioClip(samples: resampled, sampleRate: rate)
    }
}
