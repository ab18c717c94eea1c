import ArgumentParser
import Concord
import ConcordServeArguments

@main
struct ConcordCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "concord",
        abstract: "Train, understand and serve contrastive image–text models.",
        discussion: """
            From nothing to a trained, evaluated model:
              concord dataset emoji --output data/emoji
              concord train recipes/emoji-clip.yaml --output runs/emoji
              concord evaluate --model runs/emoji --data data/emoji --split held-out --language en
              concord search --model runs/emoji --data data/emoji --text "red apple"

            With pictures of your own:
              concord init --data photos
              concord train photos.yaml --output runs/photos

            The emoji with captions:
              concord train recipes/emoji-coca.yaml --output runs/emoji-coca
              concord caption --model runs/emoji-coca --image data/emoji/images/1f34e.png

            With a model that is there already:
              concord similarity --model M --image cat.jpg --text "a cute cat" --text "a dog"
              concord classify --model M --image cat.jpg --labels labels.txt
            """,
        version: ConcordVersion.current,
        subcommands: [
            DatasetCommand.self, InitCommand.self, TrainCommand.self, EvaluateCommand.self, SearchCommand.self,
            EmbedCommand.self, CaptionCommand.self, SimilarityCommand.self, ClassifyCommand.self, TokenizeCommand.self,
            PreprocessCommand.self, InspectCommand.self, ConvertCommand.self, ExportCommand.self, ServeCommand.self,
            PullCommand.self, DoctorCommand.self,
        ])

    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            var command = try await asyncParseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            // What is misspelt explains whatever else seems to be missing.
            let misspelt = exitCode(for: error) == .validationFailure ? MisspeltArgument(arguments, of: self) : nil
            guard let misspelt else { exit(withError: error) }
            Message.note("Error: \(misspelt.message)\nUsage: \(usageString(for: misspelt.command))")
            exit(withError: ExitCode.validationFailure)
        }
    }
}
