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
                """)

        @Option(help: "The folder to create.")
        var output: String

        @Option(help: "Languages of the captions: CLDR codes, separated by commas.")
        var languages = "en,zh"

        @Option(help: "Width and height of the images in pixels.")
        var size = 128

        @Flag(help: "Print one JSON object.")
        var json = false

        func validate() throws {
            guard (8...1024).contains(size) else { throw ValidationError("--size is \(size); it must be in 8…1024.") }
        }

        func run() throws {
            let names = languages.split(separator: ",").map(String.init)
            let display = ProgressDisplay(label: "drawing")
            let summary = try EmojiDatasetBuilder(languages: names, size: size).build(to: output) {
                display.show(done: $0, of: $1)
            }
            display.finish()
            print(summary.json.text(pretty: !json))
        }
    }
}
