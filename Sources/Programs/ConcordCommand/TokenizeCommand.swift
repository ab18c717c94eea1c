import ArgumentParser
import Concord

struct TokenizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize",
        abstract: "Show the token ids that the model receives for texts, special tokens included.",
        discussion: """
            Examples:
              concord tokenize --model runs/emoji --text "red apple"
              concord tokenize --model runs/emoji --text "red apple" "红苹果" --json
            """)

    @OptionGroup var location: ModelFolderOptions

    @Option(name: .customLong("text"), parsing: .upToNextOption, help: "Texts to tokenize.")
    var texts: [String]

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let folder = try ModelFolder(location.path())
        let tokenizer = try folder.loadTokenizer()
        let context = folder.text?.contextLength ?? .max
        Message.warn(ofSpecialTokensIn: texts, tokenizer)
        let encoded = texts.map { tokenizer.encode($0, contextLength: context) }
        let ids = encoded.map(\.ids)
        Message.warn(ofTruncated: encoded.count { $0.isTruncated }, of: texts.count)
        if json {
            let lists = ids.map { JSONValue.array($0.map { .integer(Int($0)) }) }
            print(JSONValue.object([.init("ids", .array(lists))]).text())
        } else {
            for list in ids {
                print(list.map { "\($0) \(tokenizer.token(for: $0) ?? "?")" }.joined(separator: "  "))
            }
        }
    }
}
