import ConcordCore

/// A row of `sounds.tsv`.
struct SoundRow: Sendable {
    let image, text, path, language, split, condition, voice, engine: String
    let clip: SpokenClip

    init(_ clip: EmojiSpeechPlan.Clip, _ made: SpokenClip) {
        image = clip.image
        text = clip.text
        path = clip.path
        language = clip.voice.language
        split = clip.isTrained ? EmojiSequence.train : EmojiSequence.heldOut
        condition = clip.voice.condition.rawValue
        voice = clip.voice.name
        engine = clip.voice.engine.rawValue
        self.clip = made
    }

    /// A person's word: of no picture, and of no training.
    init(_ recording: HumanRecording, _ made: SpokenClip) {
        image = ""
        text = recording.text
        path = recording.path
        language = recording.language
        split = EmojiSequence.heldOut
        condition = recording.condition
        voice = recording.voice
        engine = "recording"
        clip = made
    }

    static let header = "image\tcaption\taudio\tlanguage\tsplit\tcondition\tvoice\tengine\tframes\n"

    var line: String {
        [image, text, path, language, split, condition, voice, engine, "\(clip.frames)"]
            .map(Self.field).joined(separator: "\t") + "\n"
    }

    /// A field as a table has it (RFC 4180).
    private static func field(_ text: String) -> String {
        let isPlain = !text.utf8.contains { [UInt8(ascii: "\""), 0x09, 0x0A, 0x0D].contains($0) }
        return isPlain ? text : "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
}

/// What an emoji data set with sounds holds. Written as `dataset.json`.
public struct SpokenEmojiSummary: Sendable {
    /// The clips of one voice.
    public struct Voice: Sendable {
        public let name, engine, language, condition: String
        public fileprivate(set) var clips = 0
        /// Clips that a model may train on.
        public fileprivate(set) var trained = 0
        public fileprivate(set) var seconds = 0.0
        public fileprivate(set) var bytes = 0
    }

    public let pictures: EmojiDatasetSummary
    /// In the order in which they speak.
    public let voices: [Voice]
    /// Recordings that could not be read.
    public let unreadable: [String]

    init(pictures: EmojiDatasetSummary, rows: [SoundRow], unreadable: [String]) {
        self.pictures = pictures
        self.unreadable = unreadable
        var voices: [Voice] = [], places: [String: Int] = [:]
        for row in rows {
            let key = row.voice + row.condition, place = places[key] ?? voices.count
            if place == voices.count {
                places[key] = place
                voices.append(
                    Voice(name: row.voice, engine: row.engine, language: row.language, condition: row.condition))
            }
            voices[place].clips += 1
            voices[place].trained += row.split == EmojiSequence.train ? 1 : 0
            voices[place].seconds += Double(row.clip.frames) / Double(SpokenEmojiBuilder.sampleRate)
            voices[place].bytes += row.clip.bytes
        }
        self.voices = voices
    }

    public var clips: Int { voices.reduce(0) { $0 + $1.clips } }
    /// Minutes of sound.
    public var minutes: Double { voices.reduce(0) { $0 + $1.seconds } / 60 }
    /// Bytes of all files.
    public var bytes: Int { voices.reduce(0) { $0 + $1.bytes } }

    public var json: JSONValue {
        func minutes(_ seconds: Double) -> JSONValue { .number((seconds / 6).rounded() / 10) }
        let voices = voices.map { voice in
            JSONValue.object([
                .init("voice", .string(voice.name)), .init("engine", .string(voice.engine)),
                .init("language", .string(voice.language)), .init("condition", .string(voice.condition)),
                .init("clips", .integer(voice.clips)), .init("trained", .integer(voice.trained)),
                .init("minutes", minutes(voice.seconds)), .init("bytes", .integer(voice.bytes)),
            ])
        }
        let speech = JSONValue.object([
            .init("clips", .integer(clips)), .init("minutes", minutes(self.minutes * 60)),
            .init("bytes", .integer(bytes)), .init("sampleRate", .integer(SpokenEmojiBuilder.sampleRate)),
            .init("unreadable", .array(unreadable.map { .string($0) })), .init("voices", .array(voices)),
        ])
        return .object((pictures.json.members ?? []) + [.init("speech", speech)])
    }
}
