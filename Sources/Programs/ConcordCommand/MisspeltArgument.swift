import ArgumentParser
import Concord

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
