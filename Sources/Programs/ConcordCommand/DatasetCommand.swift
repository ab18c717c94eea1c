import ArgumentParser
import Concord

struct DatasetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dataset", abstract: "Create a data set from installed system packages.",
        subcommands: [Emoji.self])

    struct Emoji: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Draw every emoji of the Noto font, captioned with its names and keywords from Unicode's CLDR.",
            discussion: """
                Needs the Debian packages fonts-noto-color-emoji and unicode-cldr-core, which `make setup` installs.

                Examples:
                  concord dataset emoji --output data/emoji
                  concord dataset emoji --output data/emoji-many --languages en,zh,de,ja --size 160
                  concord dataset emoji --output data/spoken --speech

                With --speech the programs espeak-ng and flite speak the names, in English and Chinese, and recordings
                of people are added where the packages ktuberling-data, asterisk-core-sounds-en and
                asterisk-core-sounds-en-wav are installed. A run that was stopped goes on where it was.
                """)

        @Option(help: "The folder to create.")
        var output: String

        @Option(help: "Languages of the captions: CLDR codes, separated by commas.")
        var languages = "en,zh"

        @Option(help: "Width and height of the images in pixels.")
        var size = 128

        @Flag(help: "Add sounds: the names, spoken by espeak-ng and flite.")
        var speech = false

        @Option(
            help: ArgumentHelp(
                "Voices of espeak-ng to train on, for --speech; three of flite, and three to test with, come on top "
                    + "(default: 12)."))
        var voices: Int?

        @Flag(help: "Print one JSON object.")
        var json = false

        func validate() throws {
            if voices != nil, !speech {
                throw ValidationError("--voices is for --speech; add it, or leave --voices out.")
            }
            guard (8...1024).contains(size) else { throw ValidationError("--size is \(size); it must be in 8…1024.") }
        }

        func run() throws {
            let names = languages.split(separator: ",").map(String.init)
            let pictures = EmojiDatasetBuilder(languages: names, size: size)
            let summary = try speech ? speak(pictures) : draw(pictures)
            print(summary.text(pretty: !json))
        }

        private func draw(_ pictures: EmojiDatasetBuilder) throws -> JSONValue {
            let display = ProgressDisplay(label: "drawing")
            let summary = try pictures.build(to: output) { display.show(done: $0, of: $1) }
            display.finish()
            return summary.json
        }

        private func speak(_ pictures: EmojiDatasetBuilder) throws -> JSONValue {
            let drawing = ProgressDisplay(label: "drawing"), speaking = ProgressDisplay(label: "speaking")
            let start = ContinuousClock.now
            let summary = try SpokenEmojiBuilder(pictures: pictures, voiceCount: voices ?? 12).build(to: output) {
                switch $0 {
                case .drawing: drawing.show(done: $1, of: $2)
                case .speaking: speaking.show(done: $1, of: $2, doneBefore: $3)
                }
            }
            speaking.finish()
            if !summary.voices.contains(where: { $0.condition.hasPrefix("human") }) {
                Message.note(
                    "note: there are no recordings of people to test with; `apt-get install "
                        + "\(HumanRecordings.packages.joined(separator: " "))` and the same command add them")
            }
            if !summary.unreadable.isEmpty {
                Message.warn([
                    "\(summary.unreadable.count) recordings cannot be read, the first \(summary.unreadable[0])"
                ])
            }
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            Message.note(
                "\(summary.clips) clips, \(NumberText.fixed(summary.minutes, decimals: 0)) minutes of sound, "
                    + "\(NumberText.bytes(summary.bytes)), in \(NumberText.duration(seconds: seconds))")
            return summary.json
        }
    }
}
