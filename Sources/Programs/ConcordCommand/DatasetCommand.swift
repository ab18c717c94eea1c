import ArgumentParser
import Concord

struct DatasetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dataset", abstract: "Make a data set from what the system has installed.",
        subcommands: [Emoji.self])

    struct Emoji: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Every emoji of the Noto font as a picture, with its names and keywords from Unicode's CLDR.",
            discussion: """
                Needs the Debian packages fonts-noto-color-emoji and unicode-cldr-core (`make setup` installs them).

                Examples:
                  concord dataset emoji --output data/emoji
                  concord dataset emoji --output data/emoji-many --languages en,zh,de,ja --size 160
                """)

        @Option(help: "The folder to make.")
        var output: String

        @Option(help: "Languages of the captions, as CLDR names them, separated by commas.")
        var languages = "en,zh"

        @Option(help: "Edge of the pictures, pixels.")
        var size = 128

        @Flag(help: "Print one JSON object.")
        var json = false

        func validate() throws {
            guard (8...1024).contains(size) else { throw ValidationError("--size is \(size); it must be 8…1024.") }
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
