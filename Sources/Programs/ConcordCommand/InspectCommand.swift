import ArgumentParser
import Concord

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Show what a model folder holds: architecture, parameters, quirks, files.",
        discussion: """
            Reads configurations and headers alone, whatever the size of the weights. Weights that do not fit their
            configuration are an error, which lists every missing, unexpected and mismatched tensor. What would keep
            the model from embedding, such as a missing tokenizer, is printed as a warning.

            --verify also reads every weight, compares every file with the hashes of concord.json, and exits with 1 when
            there is any warning.

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
