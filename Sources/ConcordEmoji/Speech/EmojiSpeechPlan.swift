import ConcordCore
import ConcordData

/// What is spoken for an emoji data set: which voice says the name of which picture, and where the clip goes.
struct EmojiSpeechPlan {
    struct Clip: Sendable {
        let voice: SpeechVoice
        /// The picture that it names, and that picture's split.
        let image, split: String
        /// What is said: one of the picture's captions.
        let text: String
        /// Which emoji it is; speed and pitch follow from it and the voice.
        fileprivate let codePoints: String

        /// The path in the data set.
        var path: String { "sounds/\(voice.name)/\(codePoints).flac" }

        var arguments: [String] {
            voice.arguments(speaking: text, hash: SpeechHash.of("\(codePoints) \(voice.name)"))
        }

        /// Whether a model may hear it while it trains: a voice to train on, naming a picture to train on.
        var isTrained: Bool { voice.condition == .trained && split == EmojiSequence.train }
    }

    let voices: [SpeechVoice]
    let clips: [Clip]

    /// Of the pictures to train on, voices to test with name one in as many.
    private static let testedFraction: UInt64 = 4

    /// - Parameter voiceCount: voices of espeak-ng to train on.
    /// - Throws: `.invalidConfiguration` for languages that no voice speaks, and for more voices than there are.
    init(_ pictures: EmojiDatasetPlan, languages: [String], voiceCount: Int) throws(ConcordError) {
        let spoken = SpeechVoice.languages.intersection(languages.map(Self.root))
        guard !spoken.isEmpty else {
            throw ConcordError(
                .invalidConfiguration,
                "--speech speaks \(SpeechVoice.languages.sorted().joined(separator: " and ")), and the captions are in "
                    + languages.joined(separator: ", ") + "; add one of them to --languages")
        }
        let known = SpeechVoice.espeakVoices.filter { spoken.contains($0.language) }
        guard (1...known.count).contains(voiceCount) else {
            throw ConcordError(
                .invalidConfiguration,
                "--voices is \(voiceCount); there are 1 to \(known.count) voices that speak "
                    + spoken.sorted().joined(separator: " or "))
        }
        let others = (SpeechVoice.fliteVoices + SpeechVoice.testVoices).filter { spoken.contains($0.language) }
        let voices = Array(known.prefix(voiceCount)) + others
        self.voices = voices
        clips = pictures.entries.flatMap { entry in
            voices.compactMap { voice in
                Self.text(of: entry, in: voice.language).flatMap { text -> Clip? in
                    let clip = Clip(
                        voice: voice, image: entry.image, split: entry.sequence.split, text: text,
                        codePoints: entry.sequence.codePoints)
                    return Self.isSpoken(clip, entry.sequence) ? clip : nil
                }
            }
        }
    }

    private static func root(_ language: String) -> String {
        String(language.prefix { $0 != "-" && $0 != "_" })
    }

    /// What is said of a picture: its name as a person would say it.
    private static func text(of entry: EmojiDatasetPlan.Entry, in language: String) -> String? {
        let captions = entry.captions.filter { $0.language.map(root) == language }
        return (captions.first { $0.kind == "natural" } ?? captions.first { $0.kind == "name" })?.text
    }

    private static func isSpoken(_ clip: Clip, _ sequence: EmojiSequence) -> Bool {
        let isHeldOut = clip.split == EmojiSequence.heldOut
        switch (clip.voice.condition, clip.voice.engine) {
        // Names that are held out would not be trained on, and others say them.
        case (.trained, .flite): return !isHeldOut
        case (.trained, _): return true
        default: return isHeldOut || SpeechHash.of("tested " + clip.codePoints) % testedFraction == 0
        }
    }
}

/// FNV-1a, 64 bits, with SplitMix64's finalizer: part of the data set's definition, as the hash of ``EmojiSequence`` is.
enum SpeechHash {
    static func of(_ text: String) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        hash = (hash ^ (hash >> 30)) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ (hash >> 27)) &* 0x94D0_49BB_1331_11EB
        return hash ^ (hash >> 31)
    }
}
