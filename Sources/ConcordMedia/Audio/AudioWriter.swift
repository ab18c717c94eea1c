import CSndFile
import ConcordCore

/// Writes sound files.
public enum AudioWriter {
    /// The bytes of a FLAC file of 16 bits. What was decoded from 16 bits is the same after reading it again.
    ///
    /// Throws `.invalidAudio` for a sound without samples, with NaN or infinity, or at a rate that FLAC does not know.
    public static func flac(_ clip: AudioClip) throws(ConcordError) -> [UInt8] {
        try encode(clip, as: .flac)
    }

    /// Writes a FLAC file of 16 bits, atomically. Throws `.fileSystem`, and as ``flac(_:)`` does.
    public static func writeFLAC(_ clip: AudioClip, to path: String) throws(ConcordError) {
        let bytes = try flac(clip)
        do {
            try Files.replace(path, with: bytes)
        } catch let error as ConcordError {
            throw error
        } catch {
            throw ConcordError(.fileSystem, "cannot write \(path): \(error)")
        }
    }

    /// What libsndfile can write.
    package enum Encoding: String, Sendable, CaseIterable {
        case flac, wav, vorbis, opus, mp3

        fileprivate var format: Int {
            switch self {
            case .flac: SNDFILE_SEAM_WRITES_FLAC
            case .wav: SNDFILE_SEAM_WRITES_WAV
            case .vorbis: SNDFILE_SEAM_WRITES_VORBIS
            case .opus: SNDFILE_SEAM_WRITES_OPUS
            case .mp3: SNDFILE_SEAM_WRITES_MP3
            }
        }
    }

    /// The bytes of a file. Throws as ``flac(_:)`` does.
    package static func encode(
        _ clip: AudioClip, as encoding: Encoding
    ) throws(ConcordError) -> [UInt8] {
        guard !clip.samples.isEmpty, clip.samples.allAreFinite else {
            throw ConcordError(
                .invalidAudio,
                "a sound \(clip.samples.isEmpty ? "without samples" : "that holds NaN or infinity") cannot be written; "
                    + "make it anew")
        }
        let values = clip.samples.map { Int16(min(max(($0 * 32768).rounded(), -32768), 32767)) }
        var count = 0
        let bytes = sndfile_seam_encode(
            values, Int64(values.count), Int32(clamping: clip.sampleRate), 1, Int32(encoding.format), &count)
        guard let bytes else {
            throw ConcordError(
                .invalidAudio,
                "a sound of \(values.count) samples at \(clip.sampleRate) Hz cannot be written as \(encoding.rawValue); resample it, "
                    + "for example to 16000 Hz")
        }
        defer { free(bytes) }
        return [UInt8](UnsafeRawBufferPointer(start: bytes, count: count))
    }
}
