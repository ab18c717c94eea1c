import ArgumentParser
import Concord

struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert", abstract: "Write a model in the form that transformers or open_clip reads.",
        discussion: """
            The weights keep their values and types: there and back gives the same bits. Refused is a model that the
            other form cannot express; the error names what stands in the way.

            Examples:
              concord convert --model M --to open_clip --output M-open-clip
              concord convert --model laion/CLIP-ViT-B-32-laion2B-s34B-b79K --to huggingface --output clip --json
            """)

    enum Target: String, ExpressibleByArgument, CaseIterable {
        case huggingFace = "huggingface"
        case openCLIP = "open_clip"
    }

    @OptionGroup var location: ModelFolderOptions

    @Option(name: .customLong("to"), help: "Whose form.")
    var target: Target

    @Option(help: "The folder to make.")
    var output: String

    @Flag(help: "Replace a model that is in the output folder.")
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
