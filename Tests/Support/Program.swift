import Foundation

/// The `concord` program, as `swift build` puts it beside the tests.
public enum Program {
    public struct Result {
        public let status: Int32
        /// Whether a signal ended it.
        public let isKilled: Bool
        public let output, errors: String
    }

    public static var path: String {
        let tests = CommandLine.arguments[0]
        let candidates = [Bundle.main.bundlePath, (tests as NSString).deletingLastPathComponent]
        return candidates.map { $0 + "/concord" }.first { FileManager.default.isExecutableFile(atPath: $0) }
            ?? "concord"
    }

    /// Starts the program, or any other, with its output going to files in `folder`.
    ///
    /// - Parameters:
    ///   - environment: variables to set beside those of this process.
    ///   - directory: where it works; nil is where this process does.
    public static func start(
        _ arguments: [String], executable: String = path, in folder: String, environment: [String: String] = [:],
        directory: String? = nil
    ) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        for (name, isOutput) in [("output", true), ("errors", false)] {
            let file = folder + "/" + name
            _ = FileManager.default.createFile(atPath: file, contents: nil)
            let handle = FileHandle(forWritingAtPath: file)
            if isOutput { process.standardOutput = handle } else { process.standardError = handle }
        }
        process.standardInput = FileHandle.nullDevice
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
        try process.run()
        return process
    }

    public static func finish(_ process: Process, in folder: String) throws -> Result {
        process.waitUntilExit()
        return Result(
            status: process.terminationStatus, isKilled: process.terminationReason == .uncaughtSignal,
            output: try String(contentsOfFile: folder + "/output", encoding: .utf8),
            errors: try String(contentsOfFile: folder + "/errors", encoding: .utf8))
    }

    public static func run(_ arguments: [String], executable: String = path, in folder: String) throws -> Result {
        try finish(start(arguments, executable: executable, in: folder), in: folder)
    }
}
