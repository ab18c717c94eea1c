import ConcordCheckpoint
import ConcordCore
import ConcordTestSupport
import Foundation
import Testing

@Suite struct HubCacheTests {
    /// A link to a blob that is gone is one missing file, named once.
    @Test(arguments: ["model.safetensors", "config.json", "model-00002-of-00002.safetensors"])
    func aBrokenLinkIsNamedOnce(_ name: String) throws {
        try withTemporaryFolder { folder in
            let commit = "0123456789abcdef0123456789abcdef01234567", repository = folder + "/models--owner--tiny"
            let snapshot = repository + "/snapshots/" + commit
            try Files.makeFolder(repository + "/refs")
            try Files.makeFolder(snapshot)
            try Files.replace(repository + "/refs/main", with: commit)
            var files = ["config.json", "model.safetensors"]
            if name.hasPrefix("model-") {
                files = ["config.json", "model-00001-of-00002.safetensors", name]
                try Files.replace(
                    snapshot + "/model.safetensors.index.json",
                    with: #"{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "\#(name)"}}"#)
            }
            for file in files where file != name { try Files.replace(snapshot + "/" + file, with: "{}") }
            try FileManager.default.createSymbolicLink(
                atPath: snapshot + "/" + name, withDestinationPath: "../../blobs/gone")
            let error = #expect(throws: ConcordError.self) {
                try HubCache(folder: folder).snapshot(of: HubRepository(parsing: "owner/tiny"))
            }
            #expect(error?.message.contains("not whole in the cache \(folder): \(name) is missing") == true)
        }
    }
}
