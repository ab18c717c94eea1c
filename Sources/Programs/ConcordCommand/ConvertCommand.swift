import ArgumentParser
import Concord

struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert", abstract: "Convert a model for Hugging Face transformers or open_clip.",
        discussion: """
            The weights keep their values and types, so converting back gives the same bits. If the other format cannot
            express the model, the error says why.

            Examples:
              concord convert --model M --to open_clip --output M-open-clip
              concord convert --model laion/CLIP-ViT-B-32-laion2B-s34B-b79K --to huggingface --output clip --json
            """)

    enum Target: String, ExpressibleByArgument, CaseIterable {
        case huggingFace = "huggingface"
        case openCLIP = "open_clip"
    }

    @OptionGroup var location: ModelFolderOptions

    @Option(name: .customLong("to"), help: "The format to write.")
    var target: Target

    @Option(help: "The folder to create.")
    var output: String

    @Flag(help: "Replace a model in the output folder.")
    var force = false

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let conversion = try ModelConversion(
            of: location.weightsPath(), to: target == .openCLIP ? .openCLIP : .huggingFace, output: output,
            replaces: force)
        Message.warn(conversion.notes)
        print(json ? conversion.json.text() : "model: \(output)")
    }
}
