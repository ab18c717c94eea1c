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

/// A command or an option that does not exist, with the one that was probably meant.
struct MisspeltArgument {
    /// The command that it was given to.
    let command: any ParsableCommand.Type
    let message: String

    /// Finds the first such argument; nil where there is none.
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
