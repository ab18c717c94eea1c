import ArgumentParser

/// `concord serve`.
public struct ServeCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve exported models over HTTP.", discussion: ServeArguments.discussion)

    @OptionGroup var arguments: ServeArguments

    public init() {}

    public func run() async throws { try await arguments.run() }
}
