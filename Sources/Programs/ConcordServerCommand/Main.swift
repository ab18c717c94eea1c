import ArgumentParser
import ConcordServeArguments

@main
struct Main: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "concord-server", abstract: "Serve exported models over HTTP, without libtorch.",
        discussion: ServeArguments.discussion)

    @OptionGroup var arguments: ServeArguments

    func run() async throws { try await arguments.run() }
}
