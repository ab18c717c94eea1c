import CSndFile

/// A file format that is decoded, known by its bytes: names and extensions are not trusted.
enum AudioFormat: CaseIterable {
    case wav, flac, ogg, mp3

    /// The name of the format for people.
    var name: String {
        switch self {
        case .wav: "WAV"
        case .flac: "FLAC"
        case .ogg: "Ogg"
        case .mp3: "MP3"
        }
    }

    /// The formats that are read, for people.
    static let known = "WAV, FLAC, Ogg Vorbis, Ogg Opus, MP3"

    /// What the first bytes of a file promise; nil where they promise no sound.
    init?(of bytes: UnsafeRawBufferPointer) {
        let file = FileBytes(bytes: bytes)
        if (file.starts("RIFF") || file.starts("RF64")) && file.starts("WAVE", at: 8) {
            self = .wav
        } else if file.starts("fLaC") {
            self = .flac
        } else if file.starts("OggS") {
            self = .ogg
        } else if file.starts("ID3") || Self.isFrameOfMPEG(file) {
            self = .mp3
        } else {
            return nil
        }
    }

    /// Whether libsndfile's name of a whole file's format is one of those that are read.
    static func isRead(_ format: Int32) -> Bool {
        let read = [
            SNDFILE_SEAM_WAV, SNDFILE_SEAM_WAV_EXTENSIBLE, SNDFILE_SEAM_RF64, SNDFILE_SEAM_FLAC, SNDFILE_SEAM_OGG,
            SNDFILE_SEAM_MPEG,
        ]
        return read.contains(Int(format) & SF_FORMAT_TYPEMASK)
    }

    /// Whether there is the header of a frame of MPEG audio: eleven bits of 1, then no reserved values.
    private static func isFrameOfMPEG(_ file: FileBytes, at offset: Int = 0) -> Bool {
        guard let first = try? file.byte(offset), let second = try? file.byte(offset + 1),
            let third = try? file.byte(offset + 2)
        else { return false }
        let (version, layer) = (second >> 3 & 3, second >> 1 & 3)
        let (bits, rate) = (third >> 4, third >> 2 & 3)
        return first == 0xFF && second & 0xE0 == 0xE0 && version != 1 && layer != 0 && bits != 15 && rate != 3
    }

    /// Whether the file ends before what its own headers announce. libsndfile reads such files as far as they go.
    func isTruncated(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let file = FileBytes(bytes: bytes)
        do throws(ImageFault) {
            switch self {
            case .wav: return try Self.isTruncatedWAV(file)
            case .ogg: return try Self.isTruncatedOgg(file)
            case .mp3: return try Self.isTruncatedMP3(file)
            // libsndfile counts the samples that the header announces, and those that it finds.
            case .flac: return false
            }
        } catch {
            return true
        }
    }

    private static func isTruncatedWAV(_ file: FileBytes) throws(ImageFault) -> Bool {
        // What is written to a pipe does not know its length, and announces (nearly) the largest there is.
        let unknown = 0x7FFF_0000
        var offset = 12
        while offset < file.count {
            let size = try file.littleEndian(offset + 4, count: 4)
            if file.starts("data", at: offset) { return size < unknown && size > file.count - offset - 8 }
            offset += 8 + size + size % 2
        }
        return true
    }

    /// Whether a file of Ogg pages ends within one.
    private static func isTruncatedOgg(_ file: FileBytes) throws(ImageFault) -> Bool {
        var offset = 0
        while offset < file.count {
            guard file.starts("OggS", at: offset) else { return true }
            let segments = try file.byte(offset + 26)
            let body = try file.range(offset + 27, count: segments).reduce(0) { $0 + Int($1) }
            offset += 27 + segments + body
        }
        return offset != file.count
    }

    /// Whether an MP3 file is shorter than its first frame says, where that is one of those by which programs tell
    /// players the length (Xing, LAME). Nothing else in an MP3 file tells it.
    private static func isTruncatedMP3(_ file: FileBytes) throws(ImageFault) -> Bool {
        var start = 0
        if file.starts("ID3") {
            // Seven bits of each byte.
            for offset in 6..<10 { start = start << 7 | (try file.byte(offset) & 0x7F) }
            start += 10
        }
        guard isFrameOfMPEG(file, at: start) else { return start >= file.count }
        let (second, fourth) = (try file.byte(start + 1), try file.byte(start + 3))
        let (isMono, isFirstVersion) = (fourth >> 6 == 3, second >> 3 & 3 == 3)
        let sideInformation = isFirstVersion ? (isMono ? 17 : 32) : (isMono ? 9 : 17)
        let place = start + 4 + (second & 1 == 0 ? 2 : 0) + sideInformation
        guard file.starts("Xing", at: place) || file.starts("Info", at: place) else { return false }
        let flags = try file.bigEndian(place + 4, count: 4)
        guard flags & 2 != 0 else { return false }
        return try file.bigEndian(place + 8 + (flags & 1) * 4, count: 4) > file.count - start
    }
}
