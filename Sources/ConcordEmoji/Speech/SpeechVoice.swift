import ConcordCore
import Foundation

/// A voice of a program that speaks.
public struct SpeechVoice: Sendable, Hashable {
    /// The program. Both are run, a process a clip; neither is linked.
    public enum Engine: String, Sendable, Hashable, CaseIterable {
        case espeak = "espeak-ng"
        case flite
    }

    /// What a model is asked when it hears the voice.
    public enum Condition: String, Sendable, Hashable, CaseIterable {
        /// It is trained on this voice.
        case trained
        /// It has heard the program, and no voice of this accent.
        case accent
        /// It has never heard this voice, which was made from another speaker.
        case engine
        /// Somebody recorded it.
        case human
    }

    public let engine: Engine
    /// As the program calls it: `en-us+klatt4`, `slt`.
    public let code: String
    /// The language that it speaks, as a BCP 47 tag.
    public let language: String
    public let condition: Condition

    /// The name in tables, and of the folder with its clips.
    public var name: String { engine == .espeak ? code : "\(engine.rawValue)-\(code)" }

    /// The voices of espeak-ng to train on, in the order in which they are taken: two of English, then one of Mandarin.
    ///
    /// Accents and variants are mixed, so that neither tells which words are said; two variants are of the Klatt
    /// synthesizer, whose sound is made otherwise.
    package static let espeakVoices: [SpeechVoice] = [
        "en-us+m3", "en-gb+f2", "cmn+m1", "en-us+klatt4", "en-us-nyc+f5", "cmn+f3", "en-gb+klatt", "en-029+m2",
        "cmn+klatt3", "en-us+Alicia", "en-gb-x-gbclan+Andy", "cmn+f5", "en-gb-x-gbcwmd+f1", "en-us+m6", "cmn+m4",
        "en-gb+Gene", "en-029+linda", "cmn+Annie",
    ].map {
        SpeechVoice(
            engine: .espeak, code: $0, language: $0.hasPrefix("cmn") ? "zh" : "en", condition: .trained)
    }

    /// Voices of flite, each of another speaker, to train on. They speak English alone.
    package static let fliteVoices = ["kal16", "rms", "awb"].map {
        SpeechVoice(engine: .flite, code: $0, language: "en", condition: .trained)
    }

    /// Voices to test with: two accents of espeak-ng, and a speaker of flite.
    package static let testVoices = [
        SpeechVoice(engine: .espeak, code: "en-gb-scotland+m7", language: "en", condition: .accent),
        SpeechVoice(engine: .espeak, code: "en-gb-x-rp+f4", language: "en", condition: .accent),
        SpeechVoice(engine: .flite, code: "slt", language: "en", condition: .engine),
    ]

    /// The languages that voices speak.
    static let languages: Set<String> = ["en", "zh"]

    /// The program's arguments to speak `text` on its standard output.
    ///
    /// How fast and how high it speaks follows from `hash`: espeak-ng 130 to 190 words a minute and a pitch of 35 to 65,
    /// flite 0.85 to 1.2 times its usual length and 0.9 to 1.15 times its usual pitch.
    package func arguments(speaking text: String, hash: UInt64) -> [String] {
        var random = RandomSource(seed: hash, stream: 0x7370_6565_6368)
        switch engine {
        case .espeak:
            let speed = 130 + random.index(below: 61), pitch = 35 + random.index(below: 31)
            // Without the pause at the end; what follows `--` is no option, whatever it begins with.
            return ["-v", code, "-s", "\(speed)", "-p", "\(pitch)", "-z", "-b", "1", "--stdout", "--", text]
        case .flite:
            let stretch = random.uniform(0.85, 1.2), shift = random.uniform(0.9, 1.15)
            return [
                "-voice", code, "--setf", "duration_stretch=" + NumberText.fixed(stretch, decimals: 3), "--setf",
                "f0_shift=" + NumberText.fixed(shift, decimals: 3), "-o", "/dev/stdout", "-t", Self.inASCII(text),
            ]
        }
    }

    /// The text in letters that flite reads: without accents, and without what has no plain form.
    static func inASCII(_ text: String) -> String {
        let marks: [Unicode.Scalar: String] = [
            "\u{2019}": "'", "\u{2018}": "'", "\u{201C}": "\"", "\u{201D}": "\"", "\u{2013}": "-", "\u{2014}": "-",
            "\u{2026}": "...",
        ]
        var result = ""
        for scalar in text.decomposedStringWithCanonicalMapping.unicodeScalars {
            if scalar.isASCII { result.unicodeScalars.append(scalar) } else { result += marks[scalar] ?? "" }
        }
        return result
    }
}
