import ConcordCore

/// A tower that turns spectrograms into vectors.
public enum AudioTowerConfiguration: Sendable, Hashable {
    case htsat(HTSATConfiguration)
    case whisper(WhisperEncoderConfiguration)
    case ast(ASTConfiguration)
    case speech(SpeechTowerConfiguration)

    /// Width of a clip's vector before a projection.
    package var width: Int {
        switch self {
        case .htsat(let audio): audio.width
        case .whisper(let audio): audio.width
        case .ast(let audio): audio.width
        case .speech(let audio): audio.width
        }
    }

    /// Mel bins of a spectrogram.
    package var bins: Int {
        switch self {
        case .htsat(let audio): audio.bins
        case .whisper(let audio): audio.bins
        case .ast(let audio): audio.bins
        case .speech(let audio): audio.bins
        }
    }

    /// Spectrograms of a clip: 4 where clips that are longer than one are seen as a whole and in three crops.
    package var channels: Int {
        if case .htsat(let audio) = self { audio.channels } else { 1 }
    }

    /// The numbers of frames that a spectrogram may have.
    package var frames: ClosedRange<Int> {
        switch self {
        case .htsat(let audio): 1...audio.longestFrames
        case .whisper(let audio): 2 * audio.positions...2 * audio.positions
        case .ast(let audio): audio.frames...audio.frames
        case .speech(let audio): 1...audio.frames
        }
    }
}
