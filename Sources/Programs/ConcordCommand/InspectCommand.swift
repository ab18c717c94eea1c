import ArgumentParser
import Concord

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Show a model folder's architecture, parameters, quirks and files.",
        discussion: """
            Reads only configurations and headers, so it is fast for weights of any size. Weights that do not match the
            configuration are an error that lists every missing, unexpected and mismatched tensor. Anything else that
            would keep the model from embedding, such as a missing tokenizer, is a warning.

            --verify also reads every weight and checks every file against the hashes in concord.json; with any warning,
            the exit status is then 1.

            Examples:
              concord inspect --model M
              concord inspect --model openai/clip-vit-base-patch32 --json
              concord inspect --model M --tensors --verify
            """)

    @OptionGroup var location: ModelFolderOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    @Flag(help: "Read all weights and check all hashes.")
    var verify = false

    @Flag(help: "List every tensor with its type and shape.")
    var tensors = false

    func run() throws {
        var inspection = try ModelInspection(folder: location.path())
        if verify { try inspection.verify() }
        print(
            json
                ? inspection.json(listingTensors: tensors).text(pretty: true) : inspection.text(listingTensors: tensors)
        )
        Message.warn(inspection.notes)
        if verify, !inspection.notes.isEmpty { throw ExitCode.failure }
    }
}
