import ConcordCheckpoint
import ConcordCore
import ConcordTestSupport
import Foundation

/// A hub with one repository, `ann/cat`, and a cache folder to download it into.
final class HubTestHub: Sendable {
    static let commit = "0123456789abcdef0123456789abcdef01234567"

    /// The files of a small model.
    static let model: [String: [UInt8]] = [
        "README.md": Array("# Cat".utf8),
        "config.json": Array("{}".utf8),
        "tokenizer.json": Array(#"{"version": "1.0"}"#.utf8),
        "model.safetensors": weights,
        "pytorch_model.bin": Array("pickle".utf8),
        "onnx/model.onnx": Array("onnx".utf8),
    ]
    static let weights = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }

    let server: ScriptedServer
    let folder: TemporaryFolder

    /// A script may answer first; where it returns nil, the hub answers as it should.
    init(
        _ files: [String: [UInt8]] = model, listing: JSONValue? = nil,
        script: @escaping @Sendable (ScriptedServer.Request) -> ScriptedServer.Response? = { _ in nil }
    ) throws {
        folder = try TemporaryFolder()
        server = try ScriptedServer { request in
            script(request) ?? Self.answer(request, files, listing ?? Self.listing(files))
        }
    }

    var settings: HubSettings { HubSettings(cacheFolder: folder.path + "/hub", endpoint: server.address) }

    func pull(
        _ name: String = "ann/cat", patterns: [String] = [], isEverything: Bool = false,
        _ change: (inout HubSettings) -> Void = { _ in }, progress: @escaping (HubProgress) -> Void = { _ in }
    ) throws -> HubSnapshot {
        var settings = settings
        change(&settings)
        return try HubClient(settings: settings, userAgent: "concord/test").pull(
            HubRepository(parsing: name), selection: HubSelection(patterns: patterns, isEverything: isEverything),
            progress: progress)
    }

    var repositoryFolder: String { folder.path + "/hub/models--ann--cat" }
    func blob(_ path: String) -> String { repositoryFolder + "/blobs/" + Self.hash(path, Self.model[path] ?? []) }

    /// The targets of the requests for files, in order.
    var fileRequests: [String] { server.requests.map(\.target).filter { $0.contains("/resolve/") } }

    static func isLarge(_ path: String) -> Bool { path.hasSuffix(".safetensors") || path.hasSuffix(".bin") }

    static func hash(_ path: String, _ bytes: [UInt8]) -> String {
        FileHash(isLarge(path) ? .sha256 : .gitBlob, of: bytes).hexadecimal
    }

    static func listing(_ files: [String: [UInt8]], commit: String = commit) -> JSONValue {
        let siblings = files.sorted { $0.key < $1.key }.map { path, bytes -> JSONValue in
            var members: [JSONValue.Member] = [.init("rfilename", .string(path)), .init("size", .integer(bytes.count))]
            let name = FileHash(.gitBlob, of: isLarge(path) ? Array("pointer".utf8) : bytes).hexadecimal
            members.append(.init("blobId", .string(name)))
            if isLarge(path) {
                members.append(
                    .init(
                        "lfs", ["sha256": .string(hash(path, bytes)), "size": .integer(bytes.count), "pointerSize": 7]))
            }
            return .object(members)
        }
        return ["id": "ann/cat", "sha": .string(commit), "siblings": .array(siblings)]
    }

    /// What a hub answers.
    static func answer(
        _ request: ScriptedServer.Request, _ files: [String: [UInt8]], _ listing: JSONValue
    ) -> ScriptedServer.Response {
        if request.target.hasPrefix("/api/models/ann/cat/revision/") { return .init(text: listing.text()) }
        let path = String(request.target.dropFirst("/ann/cat/resolve/\(commit)/".count)).removingPercentEncoding ?? ""
        guard let bytes = files[path] else {
            return .init(status: 404, headers: ["X-Error-Code": "EntryNotFound"], text: "Entry not found")
        }
        return content(bytes, for: request, headers: ["ETag": "\"\(hash(path, bytes))\"", "X-Repo-Commit": commit])
    }

    /// A file or the range of it that is asked for.
    static func content(
        _ bytes: [UInt8], for request: ScriptedServer.Request, headers: [String: String] = [:]
    ) -> ScriptedServer.Response {
        guard let start = request.rangeStart else { return .init(headers: headers, body: bytes) }
        guard start < bytes.count else {
            return .init(status: 416, headers: ["Content-Range": "bytes */\(bytes.count)"])
        }
        return .init(
            status: 206,
            headers: headers.merging(["Content-Range": "bytes \(start)-\(bytes.count - 1)/\(bytes.count)"]) { $1 },
            body: Array(bytes[start...]))
    }
}
