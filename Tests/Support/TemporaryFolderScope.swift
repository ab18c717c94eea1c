import ConcordCore
import Foundation

/// Runs `body` with the path of a new empty folder, and removes the folder with all in it afterwards.
public func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let path = FileManager.default.temporaryDirectory.path + "/concord-test-" + UUID().uuidString
    try Files.makeFolder(path)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

/// Runs `body` with the path of a new empty folder, and removes the folder with all in it afterwards.
public func withTemporaryFolder<Result>(
    isolation: isolated (any Actor)? = #isolation, _ body: (String) async throws -> Result
) async throws -> Result {
    let path = FileManager.default.temporaryDirectory.path + "/concord-test-" + UUID().uuidString
    try Files.makeFolder(path)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(path)
}
