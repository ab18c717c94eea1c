import ConcordCore
import ConcordNN
import ConcordTensor
import Foundation

/// A number of copies of this program that work as one group, of which rank 0 leaves tensors.
struct ProcessWorld {
    let size: Int

    /// The place where a worker leaves its results.
    static func results(in folder: String) -> String { folder + "/results.safetensors" }

    /// Starts the processes and waits for them.
    ///
    /// - Parameter read: takes what rank 0 has left.
    /// - Throws: `.processGroup` when one of them fails.
    func run<Result>(_ arguments: [String], _ read: ([String: Tensor]) throws -> Result) throws -> Result {
        let folder = FileManager.default.temporaryDirectory.path + "/plan-matrix-" + UUID().uuidString
        try Files.makeFolder(folder)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let port = try ProcessMembership.freePort()
        let processes = try (0..<size).map { rank in
            let process = Process()
            process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
            process.arguments = ["--worker", folder] + arguments
            process.environment = ProcessInfo.processInfo.environment.merging(
                [
                    "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "\(port)", "RANK": "\(rank)", "WORLD_SIZE": "\(size)",
                ]) { $1 }
            try process.run()
            return process
        }
        for process in processes { process.waitUntilExit() }
        if let failed = processes.firstIndex(where: { $0.terminationStatus != 0 }) {
            throw ConcordError(.processGroup, "rank \(failed) of a world of \(size) failed; see its message above")
        }
        return try read(TensorFile.read(Self.results(in: folder)))
    }
}
