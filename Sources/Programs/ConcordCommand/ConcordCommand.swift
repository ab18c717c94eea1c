import ArgumentParser
import Concord
import ConcordServeArguments
import Foundation

@main
struct ConcordCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "concord",
        abstract: "Train, evaluate and serve contrastive image–text models.",
        discussion: """
            Train and evaluate a model from scratch:
              concord dataset emoji --output data/emoji
              concord train recipes/emoji-clip.yaml --output runs/emoji
              concord evaluate --model runs/emoji --data data/emoji --split held-out --language en
              concord search --model runs/emoji --data data/emoji --text "red apple"

            Train on your own images:
              concord init --data photos
              concord train photos.yaml --output runs/photos

            Caption images:
              concord train recipes/emoji-coca.yaml --output runs/emoji-coca
              concord caption --model runs/emoji-coca --image data/emoji/images/1f34e.png

            Use a pretrained model:
              concord pull openai/clip-vit-base-patch32
              concord similarity --model openai/clip-vit-base-patch32 --image cat.jpg --text "a cat" "a dog"
              concord classify --model openai/clip-vit-base-patch32 --image cat.jpg --labels labels.txt

            Export and serve it:
              concord export --model runs/emoji-coca --output artifacts/coca
              concord serve --model artifacts/coca
            """,
        version: ConcordVersion.current,
        subcommands: [
            DatasetCommand.self, InitCommand.self, TrainCommand.self, EvaluateCommand.self, SearchCommand.self,
            CalibrateCommand.self,
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
            // A misspelled option also explains why another one seems to be missing.
            let misspelled = exitCode(for: error) == .validationFailure ? MisspelledArgument(arguments, of: self) : nil
            guard let misspelled else { end(with: error) }
            Message.note("Error: \(misspelled.message)\nUsage: \(usageString(for: misspelled.command))")
            exit(withError: ExitCode.validationFailure)
        }
    }

    /// Prints an error and ends: where there is a launcher, it prints the error of the process that is the cause.
    private static func end(with error: any Error) -> Never {
        if let lost = error as? LostProcess {
            if !LaunchedProcess.report(lost.message) { Message.note("Error: \(lost.message)") }
            fflush(nil)
            // Threads that wait for the dead process end with this one, and not before.
            _exit(ProcessGroup.failureStatus)
        }
        if error is ConcordError, LaunchedProcess.report("\(error)") { exit(withError: ExitCode.failure) }
        exit(withError: error)
    }
}

/// A command or option that does not exist, with the one that was probably meant.
struct MisspelledArgument {
    /// The command it was given to.
    let command: any ParsableCommand.Type
    let message: String

    /// Finds the first such argument; nil if there is none.
    init?(_ arguments: [String], of root: any ParsableCommand.Type) {
        var command = root, rest = arguments[...]
        while !command.configuration.subcommands.isEmpty, let first = rest.first, !first.hasPrefix("-") {
            let known = command.configuration.subcommands
            guard let next = known.first(where: { Self.name($0) == first }) else {
                guard first != "help" else { return nil }
                let nearest = NearestName.suggestion(for: first, among: known.map(Self.name))
                self.command = command
                message =
                    "Unknown command '\(first)'."
                    + (nearest.map { " Did you mean '\($0)'?" }
                        ?? " Commands: \(known.map(Self.name).joined(separator: ", ")).")
                return
            }
            command = next
            rest = rest.dropFirst()
        }
        let known = Self.options(of: command)
        for argument in rest.prefix(while: { $0 != "--" }) where argument.hasPrefix("--") {
            let name = String(argument.dropFirst(2).prefix { $0 != "=" })
            guard !known.contains(name) else { continue }
            let nearest =
                NearestName.suggestion(for: name, among: known)
                ?? known.filter { name.hasPrefix($0) || $0.hasPrefix(name) }.min()
            self.command = command
            message =
                "Unknown option '--\(name)'."
                + (nearest.map { " Did you mean '--\($0)'?" } ?? " 'concord \(Self.name(command)) --help' lists them.")
            return
        }
        return nil
    }

    private static func name(_ command: any ParsableCommand.Type) -> String {
        command.configuration.commandName ?? "\(command)".lowercased()
    }

    /// The long names of a command's options and flags.
    private static func options(of command: any ParsableCommand.Type) -> Set<String> {
        let help = try? JSONValue(parsing: command._dumpHelp(), source: "help")
        let arguments = help?["command"]?["arguments"]?.elements ?? []
        let names = arguments.flatMap { $0["names"]?.elements ?? [] }
        return Set(names.filter { $0["kind"]?.string == "long" }.compactMap { $0["name"]?.string })
            .union(["help", "version", "help-hidden", "experimental-dump-help", "generate-completion-script"])
    }
}
