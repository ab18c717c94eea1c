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
        try SoundFile(name: name, limits: limits).decode(bytes)
    }
}

/// Decodes one sound file, on the calling thread.
private struct SoundFile {
    let name: String
    let limits: AudioLimits

    func decode(_ bytes: UnsafeRawBufferPointer) throws(ConcordError) -> AudioClip {
        let format = try format(bytes)
        let damaged = problem("is a damaged or truncated \(format.name) file; get the file again or remove it")
        guard !format.isTruncated(bytes), let reader = sndfile_seam_open(bytes.baseAddress, bytes.count) else {
            throw damaged
        }
        defer { sndfile_seam_close(reader) }
        let info = reader.pointee.info
        try check(info)
        let samples = try samples(of: reader, info, bytes: bytes.count)
        // An MP3 file's length is counted in frames, whose last may hold less.
        let slack = format == .mp3 ? 2 * 1152 : 0
        guard !sndfile_seam_failed(reader), samples.count >= Int(info.frames) - slack else { throw damaged }
        guard !samples.isEmpty else { throw problem("has no samples; get the file again or remove it") }
        guard samples.allAreFinite else {
            throw problem("holds NaN or infinity among its samples; make it anew or remove it")
        }
        return AudioClip(samples: samples, sampleRate: Int(info.samplerate))
    }

    private func format(_ bytes: UnsafeRawBufferPointer) throws(ConcordError) -> AudioFormat {
        guard bytes.count > 0 else { throw problem("is empty; get the file again") }
        guard bytes.count <= limits.maximumBytes else {
            throw problem(
                "has \(bytes.count) bytes, more than the \(limits.maximumBytes) allowed; shorten it or raise the limit")
        }
        guard let format = AudioFormat(of: bytes) else {
            let found = ImageFormat(of: bytes)?.name ?? ImageFormat.otherName(bytes)
            throw problem(
                (found.map { "is \($0)," } ?? "is") + " not a sound in a supported format (\(AudioFormat.known)); "
                    + "convert it, for example with `ffmpeg -i IN OUT.flac`, or remove it")
        }
        return format
    }

    /// Checks what the header announces, before anything is decoded.
    private func check(_ info: SF_INFO) throws(ConcordError) {
        guard AudioFormat.isRead(info.format) else {
            throw problem("is in a format that is not supported; known are \(AudioFormat.known); convert it")
        }
        guard (1...max(limits.maximumChannels, 1)).contains(Int(info.channels)) else {
            throw problem(
                "has \(info.channels) channels, more than the \(limits.maximumChannels) allowed; mix it down or raise "
                    + "the limit")
        }
        guard limits.sampleRates.contains(Int(info.samplerate)) else {
            throw problem(
                "has a sample rate of \(info.samplerate) Hz, outside the allowed \(limits.sampleRates.lowerBound) to "
                    + "\(limits.sampleRates.upperBound) Hz; resample it or change the limit")
        }
        try checkLength(Int(info.frames), info)
    }

    private func checkLength(_ samples: Int, _ info: SF_INFO) throws(ConcordError) {
        let seconds = Double(samples) / Double(info.samplerate)
        guard seconds > limits.maximumSeconds else { return }
        throw problem(
            "lasts \(NumberText.fixed(seconds, decimals: 1)) s, longer than the "
                + "\(NumberText.fixed(limits.maximumSeconds, decimals: 1)) s allowed; cut it or raise the limit")
    }

    /// The means of all channels.
    private func samples(
        of reader: UnsafeMutablePointer<sndfile_seam_reader>, _ info: SF_INFO, bytes: Int
    ) throws(ConcordError) -> [Float] {
        let channels = Int(info.channels)
        let block = max(1, 16_384 / channels)
        var values = [Float](repeating: 0, count: block * channels)
        var samples: [Float] = []
        // As many as are announced, but no more than the bytes can be worth at once: a header may lie.
        samples.reserveCapacity(min(max(Int(info.frames), 0), bytes * 64))
        while true {
            let frames = Int(sndfile_seam_read(reader, &values, Int64(block)))
            guard frames > 0 else { return samples }
            Self.appendMeans(of: values, frames: frames, channels: channels, to: &samples)
            try checkLength(samples.count, info)
        }
    }

    /// Appends the mean of the channels of each frame: their sum from the first on, divided, in single precision.
    private static func appendMeans(of values: [Float], frames: Int, channels: Int, to samples: inout [Float]) {
        guard channels > 1 else {
            samples += values[..<frames]
            return
        }
        values.withUnsafeBufferPointer { values in
            for frame in 0..<frames {
                var sum = values[frame * channels]
                for channel in 1..<channels { sum += values[frame * channels + channel] }
                samples.append(sum / Float(channels))
            }
        }
    }

    private func problem(_ text: String) -> ConcordError { ConcordError(.invalidAudio, "the sound \(name) \(text)") }
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
