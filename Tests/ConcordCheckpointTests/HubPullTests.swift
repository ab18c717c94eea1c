import ConcordCheckpoint
import ConcordCore
import ConcordTestSupport
import Foundation
import Synchronization
import Testing

@Suite struct HubPullTests {
    @Test func laysFilesOutAsHuggingFaceDoes() throws {
        let hub = try HubTestHub()
        let progress = Mutex<[HubProgress]>([])
        let snapshot = try hub.pull { progress in
            _ = progress
        } progress: { step in
            progress.withLock { $0.append(step) }
        }

        let folder = "\(hub.repositoryFolder)/snapshots/\(HubTestHub.commit)"
        let files = ["config.json", "model.safetensors", "tokenizer.json"]
        #expect(snapshot.path == folder && snapshot.commit == HubTestHub.commit && snapshot.files == files)
        #expect(snapshot.byteCount == 5000 + 2 + 18)
        for name in files {
            let target = try FileManager.default.destinationOfSymbolicLink(atPath: folder + "/" + name)
            let bytes = try #require(HubTestHub.model[name])
            #expect(target == "../../blobs/" + HubTestHub.hash(name, bytes))
            #expect(try Files.read(folder + "/" + name) == bytes)
        }
        #expect(try Files.read(hub.repositoryFolder + "/refs/main") == Array(HubTestHub.commit.utf8))
        #expect(try FileManager.default.contentsOfDirectory(atPath: hub.repositoryFolder + "/blobs").count == 3)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == files)

        let steps = progress.withLock { $0 }
        #expect(
            steps.last?.done == 5020 && steps.allSatisfy { $0.total == 5020 && $0.doneBefore == 0 && !$0.isWaiting })
        #expect(zip(steps, steps.dropFirst()).allSatisfy { $0.done <= $1.done })

        let request = try #require(hub.server.requests.first)
        #expect(request.method == "GET" && request.target == "/api/models/ann/cat/revision/main?blobs=true")
        for request in hub.server.requests {
            #expect(request.headers["accept-encoding"] == "identity")
            #expect(request.headers["user-agent"] == "concord/test")
            #expect(request.headers["authorization"] == nil)
        }
        #expect(hub.fileRequests.last?.hasSuffix("/model.safetensors") == true)
    }

    @Test func aFinishedPullAsksForTheListOnly() throws {
        let hub = try HubTestHub()
        let first = try hub.pull()
        hub.server.forgetRequests()
        #expect(
            try hub.pull { _ in
            } progress: { _ in
                Issue.record("there is nothing to download")
            } == first)
        #expect(hub.server.requests.map(\.target) == ["/api/models/ann/cat/revision/main?blobs=true"])
    }

    @Test func fetchesAgainWhatIsDamaged() throws {
        let hub = try HubTestHub()
        let snapshot = try hub.pull()
        try FileManager.default.removeItem(atPath: hub.blob("tokenizer.json"))
        try Files.replace(hub.blob("model.safetensors"), with: "short")
        hub.server.forgetRequests()
        _ = try hub.pull()
        #expect(hub.fileRequests.count == 2)
        #expect(try Files.read(snapshot.path + "/model.safetensors") == HubTestHub.weights)
    }

    @Test func revisionsWithSlashesAndCommits() throws {
        let hub = try HubTestHub()
        let folder = try hub.pull("ann/cat@refs/pr/1").path
        #expect(hub.server.requests.first?.target == "/api/models/ann/cat/revision/refs%2Fpr%2F1?blobs=true")
        #expect(try Files.read(hub.repositoryFolder + "/refs/refs/pr/1") == Array(HubTestHub.commit.utf8))
        #expect(!Files.exists(hub.repositoryFolder + "/refs/main"))
        #expect(try hub.pull("ann/cat@v1.0").path == folder)
        #expect(try hub.pull("ann/cat@\(HubTestHub.commit)").path == folder)
        #expect(!Files.exists(hub.repositoryFolder + "/refs/\(HubTestHub.commit)"))
        #expect(try ModelLocation.folder("ann/cat@\(HubTestHub.commit)", settings: hub.settings) == folder)
    }

    @Test func aBranchThatMovesKeepsWhatIsTheSame() throws {
        let other = String(repeating: "a", count: 40)
        let isLater = Atomic(false)
        let hub = try HubTestHub { request in
            guard isLater.load(ordering: .relaxed), request.target.hasPrefix("/api/") else { return nil }
            return .init(text: HubTestHub.listing(HubTestHub.model, commit: other).text())
        }
        _ = try hub.pull()
        isLater.store(true, ordering: .relaxed)
        hub.server.forgetRequests()
        let snapshot = try hub.pull()
        #expect(snapshot.commit == other && hub.fileRequests.isEmpty)
        #expect(try Files.read(snapshot.path + "/model.safetensors") == HubTestHub.weights)
        #expect(try Files.read(hub.repositoryFolder + "/refs/main") == Array(other.utf8))
    }

    @Test func shardsComeFromTheIndex() throws {
        let index = #"{"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}"#
        var files: [String: [UInt8]] = [
            "config.json": Array("{}".utf8), "model.safetensors.index.json": Array(index.utf8),
            "model-1-of-2.safetensors": [1, 2], "model-2-of-2.safetensors": [3], "stale-1.safetensors": [4],
        ]
        let hub = try HubTestHub(files)
        #expect(
            try hub.pull().files
                == [
                    "config.json", "model-1-of-2.safetensors", "model-2-of-2.safetensors",
                    "model.safetensors.index.json",
                ])

        files["model-2-of-2.safetensors"] = nil
        let error = #expect(throws: ConcordError.self) { try HubTestHub(files).pull() }
        #expect(error?.code == .invalidDownload && error?.message.contains("no file model-2-of-2") == true)
    }

    @Test func filesInFoldersAndOddNames() throws {
        let files: [String: [UInt8]] = [
            "config.json": Array("{}".utf8), "model.safetensors": [1], "1_Pooling/config.json": Array("[]".utf8),
            "1_Pooling/deep/a b#?%é.txt": [2], "empty.txt": [],
        ]
        let hub = try HubTestHub(files)
        let snapshot = try hub.pull(patterns: ["*.txt"])
        for (name, bytes) in files { #expect(try Files.read(snapshot.path + "/" + name) == bytes) }
        let target = try FileManager.default.destinationOfSymbolicLink(
            atPath: snapshot.path + "/1_Pooling/deep/a b#?%é.txt")
        #expect(target.hasPrefix("../../../../blobs/"))
        #expect(hub.fileRequests.contains { $0.hasSuffix("/1_Pooling/deep/a%20b%23%3F%25%C3%A9.txt") })
    }

    @Test func allTakesEverything() throws {
        let hub = try HubTestHub()
        #expect(try hub.pull(isEverything: true).files == HubTestHub.model.keys.sorted())
    }

    @Test func picklesAloneAreRefusedBeforeAnythingIsDownloaded() throws {
        let hub = try HubTestHub(["config.json": [1], "pytorch_model.bin": [2]])
        let error = #expect(throws: ConcordError.self) { try hub.pull() }
        #expect(error?.message.contains("pickle") == true)
        #expect(hub.fileRequests.isEmpty && !Files.exists(hub.repositoryFolder))
        // Stored on demand, they stand for the model; who loads them refuses.
        let folder = try hub.pull(isEverything: true).path
        #expect(try ModelLocation.folder("ann/cat", settings: hub.settings) == folder)
        let refusal = #expect(throws: ConcordError.self) { try CheckpointReader(path: folder) }
        #expect(refusal?.message.contains("pickle") == true)
    }

    @Test func aListWithoutHashesIsCompletedByHeadRequests() throws {
        let names = HubTestHub.model.keys.sorted().map { JSONValue.object([.init("rfilename", .string($0))]) }
        let listing: JSONValue = ["sha": .string(HubTestHub.commit), "siblings": .array(names)]
        let storage = try ScriptedServer { _ in .init(status: 500) }
        let hub = try HubTestHub(listing: listing) { [address = storage.address] request in
            // Weights are in a store that answers GET only.
            guard request.method == "HEAD", request.target.hasSuffix("model.safetensors") else { return nil }
            return .init(
                status: 302,
                headers: [
                    "Location": address + "/x", "X-Linked-Size": "5000", "ETag": "\"of-the-redirect\"",
                    "X-Linked-ETag": "W/\"\(HubTestHub.hash("model.safetensors", HubTestHub.weights))\"",
                ])
        }
        #expect(try hub.pull().files == ["config.json", "model.safetensors", "tokenizer.json"])
        #expect(hub.server.requests.count { $0.method == "HEAD" } == 3)
        #expect(storage.requests.isEmpty)

        let mute = try HubTestHub(listing: listing) { $0.method == "HEAD" ? .init(text: "?") : nil }
        let error = #expect(throws: ConcordError.self) { try mute.pull() }
        #expect(error?.code == .invalidDownload && error?.message.contains("neither length nor hash") == true)
    }

    @Test func twoPullsAtOnceShareTheWork() throws {
        let hub = try HubTestHub()
        let paths = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 4) { _ in
            do {
                let path = try hub.pull().path
                paths.withLock { $0.append(path) }
            } catch {
                Issue.record(error)
            }
        }
        #expect(paths.withLock { $0.count } == 4 && paths.withLock { Set($0).count } == 1)
        #expect(hub.fileRequests.count == 3)
        #expect(try Files.read(hub.blob("model.safetensors")) == HubTestHub.weights)
    }

    @Test func offlineAnswersFromTheCache() throws {
        let hub = try HubTestHub()
        let missing = #expect(throws: ConcordError.self) { try hub.pull { $0.isOffline = true } }
        #expect(missing?.code == .unavailable && missing?.message.contains("concord pull ann/cat") == true)
        let snapshot = try hub.pull()
        hub.server.forgetRequests()
        #expect(try hub.pull { $0.isOffline = true } == snapshot)
        #expect(throws: ConcordError.self) { try hub.pull(patterns: ["*.md"]) { $0.isOffline = true } }
        #expect(throws: ConcordError.self) { try hub.pull(isEverything: true) { $0.isOffline = true } }
        let other = #expect(throws: ConcordError.self) { try hub.pull("ann/cat@v2") { $0.isOffline = true } }
        #expect(other?.message.contains("concord pull ann/cat --revision v2") == true)
        #expect(hub.server.requests.isEmpty)
    }

    @Test func aModelIsAFolderOrInTheCache() throws {
        let hub = try HubTestHub()
        func folder(_ argument: String) throws -> String { try ModelLocation.folder(argument, settings: hub.settings) }
        let missing = #expect(throws: ConcordError.self) { try folder("ann/cat") }
        #expect(missing?.message.contains("no folder ann/cat") == true)
        #expect(missing?.message.contains("concord pull ann/cat") == true)
        let path = try hub.pull().path
        #expect(try folder("ann/cat") == path)
        #expect(try folder(hub.folder.path) == hub.folder.path)
        for argument in ["no-such-folder", "./no-such-folder/x", "/no/such/folder", "a/b/c"] {
            #expect(#expect(throws: ConcordError.self) { try folder(argument) }?.code == .fileSystem)
        }
        // huggingface_hub may have fetched a part only.
        try FileManager.default.removeItem(atPath: path + "/model.safetensors")
        let partial = #expect(throws: ConcordError.self) { try folder("ann/cat") }
        #expect(partial?.message.contains("model.safetensors is missing") == true)
        _ = try hub.pull()
        try FileManager.default.removeItem(atPath: hub.blob("tokenizer.json"))
        let dangling = #expect(throws: ConcordError.self) { try folder("ann/cat") }
        #expect(dangling?.message.contains("tokenizer.json is missing") == true)
    }

    @Test func anUnusableCacheFolderIsNamed() throws {
        let hub = try HubTestHub()
        try hub.folder.write("hub", "a file where the folder should be")
        let error = #expect(throws: ConcordError.self) { try hub.pull() }
        #expect(error?.code == .fileSystem && error?.message.contains(hub.folder.path + "/hub") == true)
    }
}
