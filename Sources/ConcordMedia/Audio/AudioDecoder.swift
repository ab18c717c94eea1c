import CSndFile
import ConcordCore

/// Decodes sound files: WAV, FLAC, Ogg Vorbis, Ogg Opus and MP3, as their bytes say, not their names.
///
/// Channels are averaged, as librosa and transformers do. The calling thread does all the work; any number of threads may
/// decode at once.
public enum AudioDecoder {
    /// Decodes the bytes of a file; `name` is what errors call it.
    ///
    /// Throws `.invalidAudio` for what is empty, no sound, damaged, truncated, above the limits, or holds NaN or infinity.
    public static func decode(
        _ bytes: [UInt8], name: String, limits: AudioLimits = .standard
    ) throws(ConcordError) -> AudioClip {
        try bytes.withUnsafeBufferPointer { buffer throws(ConcordError) in
            try decode(UnsafeRawBufferPointer(buffer), name: name, limits: limits)
        }
    }

    /// Decodes a file. Throws `.fileSystem` where it cannot be read, and as ``decode(_:name:limits:)`` does.
    public static func read(_ path: String, limits: AudioLimits = .standard) throws(ConcordError) -> AudioClip {
        try decode(Files.read(path, limit: limits.maximumBytes), name: path, limits: limits)
    }

    /// Decodes the bytes of a file; `name` is what errors call it.
    package static func decode(
        _ bytes: UnsafeRawBufferPointer, name: String, limits: AudioLimits = .standard
    ) throws(ConcordError) -> AudioClip {
        func problem(_ text: String) -> ConcordError { ConcordError(.invalidAudio, "the sound \(name) \(text)") }

        guard bytes.count > 0 else { throw problem("is empty; get the file again") }
        guard bytes.count <= limits.maximumBytes else {
            throw problem(
                "has \(bytes.count) bytes, more than the \(limits.maximumBytes) allowed; shorten it or raise the limit")
        }
        let known = "WAV, FLAC, Ogg Vorbis, Ogg Opus, MP3"
        guard let format = AudioFormat(of: bytes) else {
            let found = ImageFormat(of: bytes)?.name ?? ImageFormat.otherName(bytes)
            throw problem(
                (found.map { "is \($0)," } ?? "is") + " not a sound in a supported format (\(known)); convert it, for "
                    + "example with `ffmpeg -i IN OUT.flac`, or remove it")
        }
        let damaged = "is a damaged or truncated \(format.name) file; get the file again or remove it"
        guard !format.isTruncated(bytes), let reader = sndfile_seam_open(bytes.baseAddress, bytes.count) else {
            throw problem(damaged)
        }
        defer { sndfile_seam_close(reader) }
        let info = reader.pointee.info
        guard AudioFormat.isRead(info.format) else {
            throw problem("is in a format that is not supported; known are \(known); convert it to one of them")
        }
        let (channels, rate, announced) = (Int(info.channels), Int(info.samplerate), Int(info.frames))
        guard (1...max(limits.maximumChannels, 1)).contains(channels) else {
            throw problem(
                "has \(channels) channels, more than the \(limits.maximumChannels) allowed; mix it down or raise the "
                    + "limit")
        }
        guard limits.sampleRates.contains(rate) else {
            throw problem(
                "has a sample rate of \(rate) Hz, outside the allowed \(limits.sampleRates.lowerBound) to "
                    + "\(limits.sampleRates.upperBound) Hz; resample it or change the limit")
        }
        let most = Int(exactly: (limits.maximumSeconds * Double(rate)).rounded(.down)) ?? Int.max
        func tooLong(_ samples: Int) -> ConcordError {
            problem(
                "lasts \(NumberText.fixed(Double(samples) / Double(rate), decimals: 1)) s, longer than the "
                    + "\(NumberText.fixed(limits.maximumSeconds, decimals: 1)) s allowed; cut it or raise the limit")
        }
        guard announced <= most else { throw tooLong(announced) }

        var samples: [Float] = []
        // As many as are announced, but no more than the bytes can be worth at once: a header may lie.
        samples.reserveCapacity(min(max(announced, 0), bytes.count * 64))
        let block = max(1, 16_384 / channels)
        let count = channels
        let isComplete = withUnsafeTemporaryAllocation(of: Float.self, capacity: block * count) { values -> Bool in
            while let start = values.baseAddress {
                let read = Int(sndfile_seam_read(reader, start, Int64(block)))
                guard read > 0 else { break }
                appendMeans(of: start, frames: read, channels: count, to: &samples)
                guard samples.count <= most else { return false }
            }
            return true
        }
        guard isComplete else { throw tooLong(samples.count) }
        // An MP3 file's length is counted in frames, whose last may hold less.
        let slack = format == .mp3 ? 2 * 1152 : 0
        guard !sndfile_seam_failed(reader), samples.count >= announced - slack else { throw problem(damaged) }
        guard !samples.isEmpty else { throw problem("has no samples; get the file again or remove it") }
        guard samples.allAreFinite else {
            throw problem("holds NaN or infinity among its samples; make it anew or remove it")
        }
        return AudioClip(samples: samples, sampleRate: rate)
    }

    /// Appends the mean of the channels of each frame: their sum from the first on, divided, in single precision.
    private static func appendMeans(
        of values: UnsafePointer<Float>, frames: Int, channels: Int, to samples: inout [Float]
    ) {
        guard channels > 1 else {
            samples.append(contentsOf: UnsafeBufferPointer(start: values, count: frames))
            return
        }
        let divisor = Float(channels)
        for frame in 0..<frames {
            let row = values + frame * channels
            var sum = row[0]
            for channel in 1..<channels { sum += row[channel] }
            samples.append(sum / divisor)
        }
    }
}

/// Limits for sounds, which are checked before any sample is decoded.
public struct AudioLimits: Sendable, Hashable {
    /// The longest sound, in seconds.
    public var maximumSeconds: Double
    /// The most bytes of an encoded file.
    public var maximumBytes: Int
    public var maximumChannels: Int
    /// In Hz.
    public var sampleRates: ClosedRange<Int>

    public init(
        maximumSeconds: Double = 600, maximumBytes: Int = 64 << 20, maximumChannels: Int = 16,
        sampleRates: ClosedRange<Int> = 4_000...384_000
    ) {
        self.maximumSeconds = maximumSeconds
        self.maximumBytes = maximumBytes
        self.maximumChannels = maximumChannels
        self.sampleRates = sampleRates
    }

    /// Ten minutes, 64 MiB, 16 channels, 4 to 384 kHz.
    public static let standard = AudioLimits()
}

extension [Float] {
    /// Whether none is NaN or infinite: whether no exponent has all its bits.
    var allAreFinite: Bool {
        var largest: UInt32 = 0
        for value in self { largest = Swift.max(largest, value.bitPattern & 0x7FFF_FFFF) }
        return largest < 0x7F80_0000
    }
}
