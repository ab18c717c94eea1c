import ConcordCore
import ConcordMedia
import ConcordRuntime
import ConcordTestSupport
import ConcordText
import Foundation
import Synchronization
import Testing

/// Folders that are not as they were written.
@Suite struct ArtifactFolderTests {
    private func failure(_ folder: String, verifiesHashes: Bool = true) throws -> ConcordError {
        var options = ExportedModelOptions(session: OnnxSessionOptions(threadsPerRun: 1))
        options.verifiesHashes = verifiesHashes
        return try #require(throws: ConcordError.self) { try ExportedModel(folder: folder, options: options) }
    }

    @Test func aChangedFileIsNamed() throws {
        try withTemporaryFolder { folder in
            try TinyArtifact.write(.coca, to: folder)
            for name in ["config.json", "tokenizer.json", "caption_step.onnx", "weights.data", "report.json"] {
                let path = folder + "/" + name, bytes = try Files.read(path)
                try Files.replace(path, with: bytes + [0x20])
                let error = try failure(folder)
                #expect(error.code == .invalidCheckpoint)
                #expect(error.message.contains(path) && error.message.contains("XXH128"), "\(error)")
                try Files.replace(path, with: bytes)
            }
            _ = try ExportedModel(folder: folder)
            // The hash is the reason that is given, also where the file cannot be read at all any more.
            try Files.replace(folder + "/text.onnx", with: "no model")
            #expect(try failure(folder).code == .invalidCheckpoint)
            #expect(try failure(folder, verifiesHashes: false).code == .invalidModel)
        }
    }

    /// What is there instead says more than another checksum.
    @Test func aPointerOrPageInPlaceOfAFileIsNamed() throws {
        try withTemporaryFolder { folder in
            try TinyArtifact.write(.clip, to: folder)
            for name in ["text.onnx", "config.json", "tokenizer.json", "report.json"] {
                let path = folder + "/" + name, bytes = try Files.read(path)
                for (content, message) in [
                    ("version https://git-lfs.github.com/spec/v1\nsize 77\n", "is a Git LFS pointer to a file of 77 B"),
                    ("<!DOCTYPE html>", "is an HTML page"),
                ] {
                    try Files.replace(path, with: content)
                    let error = try failure(folder)
                    #expect(error.code == .invalidCheckpoint)
                    #expect(error.message.contains("\(path) \(message)"), "\(error)")
                }
                try Files.replace(path, with: bytes)
            }
            _ = try ExportedModel(folder: folder)
        }
    }

    @Test func foldersWithoutChecksumsAreComparedByTheirHashes() throws {
        try withTemporaryFolder { folder in
            try TinyArtifact.write(.clip, to: folder)
            var manifest = try ArtifactManifest(folder: folder)
            #expect(Set(manifest.checksums.keys) == Set(manifest.hashes.keys))
            manifest.checksums = [:]
            try manifest.write(folder: folder)
            _ = try ExportedModel(folder: folder)
            let path = folder + "/config.json"
            try Files.replace(path, with: try Files.read(path) + [0x20])
            let error = try failure(folder)
            #expect(error.code == .invalidCheckpoint && error.message.contains("\(path) has the SHA-256"), "\(error)")
        }
    }

    @Test func aCanaryThatIsAnsweredOtherwiseIsNoticed() throws {
        try withTemporaryFolder { folder in
            try TinyArtifact.write(.clip, to: folder)
            var manifest = try ArtifactManifest(folder: folder)
            manifest.canary.imageEmbedding?.reverse()
            try manifest.write(folder: folder)
            var options = ExportedModelOptions(session: OnnxSessionOptions(threadsPerRun: 1))
            _ = try ExportedModel(folder: folder, options: options)
            options.checksCanary = true
            let error = try #require(throws: ConcordError.self) { try ExportedModel(folder: folder, options: options) }
            #expect(error.code == .inference && error.message.contains("canary image"), "\(error)")
            // Damage is the reason that is given, since it explains the rest.
            try Files.replace(folder + "/report.json", with: "{}")
            let damaged = try #require(throws: ConcordError.self) {
                try ExportedModel(folder: folder, options: options)
            }
            #expect(damaged.code == .invalidCheckpoint, "\(damaged)")
        }
    }

    @Test func aMissingFileIsNamed() throws {
        try withTemporaryFolder { folder in
            try TinyArtifact.write(.clip, to: folder)
            for name in ["image.onnx", "tokenizer.json", "report.json"] {
                try FileManager.default.moveItem(atPath: folder + "/" + name, toPath: folder + "/away")
                let error = try failure(folder)
                #expect(error.code == .invalidCheckpoint)
                #expect(error.message.contains("/" + name + ", which artifact.json names, is missing"), "\(error)")
                try FileManager.default.moveItem(atPath: folder + "/away", toPath: folder + "/" + name)
            }
        }
    }

    @Test func linksThatLeaveTheFolderAreRefused() throws {
        try withTemporaryFolder { folder in
            let files = FileManager.default, model = folder + "/model"
            try TinyArtifact.write(.clip, to: model)
            // A link within the folder is as good as the file.
            try files.moveItem(atPath: model + "/text.onnx", toPath: model + "/other.onnx")
            try files.createSymbolicLink(atPath: model + "/text.onnx", withDestinationPath: "other.onnx")
            _ = try ExportedModel(folder: model)
            for target in ["../outside.onnx", folder + "/outside.onnx"] {
                try files.removeItem(atPath: model + "/text.onnx")
                if !Files.exists(folder + "/outside.onnx") {
                    try files.copyItem(atPath: model + "/other.onnx", toPath: folder + "/outside.onnx")
                }
                try files.createSymbolicLink(atPath: model + "/text.onnx", withDestinationPath: target)
                let error = try failure(model)
                #expect(error.code == .invalidCheckpoint)
                #expect(error.message.contains("link"), "\(error)")
            }
            // The folder itself may be reached by a link.
            try files.removeItem(atPath: model + "/text.onnx")
            try files.moveItem(atPath: model + "/other.onnx", toPath: model + "/text.onnx")
            try files.createSymbolicLink(atPath: folder + "/link", withDestinationPath: model)
            _ = try ExportedModel(folder: folder + "/link")
        }
    }

    @Test func whatIsNoFileIsRefused() throws {
        try withTemporaryFolder { folder in
            try TinyArtifact.write(.sentences, to: folder)
            try FileManager.default.removeItem(atPath: folder + "/report.json")
            try FileManager.default.createDirectory(
                atPath: folder + "/report.json", withIntermediateDirectories: false)
            #expect(try failure(folder).message.contains("not a regular file"))
            try FileManager.default.removeItem(atPath: folder + "/report.json")
            // Opening a pipe would wait for somebody to write to it.
            #expect(mkfifo(folder + "/report.json", 0o600) == 0)
            #expect(try failure(folder).message.contains("not a regular file"))
        }
    }

    @Test func graphsOfAnotherModelAreRefused() throws {
        try withTemporaryFolder { folder in
            let manifest = try TinyArtifact.write(.coca, to: folder).manifest
            func swap(_ role: ArtifactManifest.GraphRole, _ name: String) throws -> ConcordError {
                var changed = manifest
                changed.graphs[role] = name
                try changed.write(folder: folder)
                return try failure(folder)
            }
            let image = try swap(.image, "text.onnx")
            #expect(image.code == .invalidModel && image.message.contains("'ids'"), "\(image)")
            let step = try swap(.captionStep, "caption_prefill.onnx")
            #expect(step.code == .invalidModel && step.message.contains("caption_step"), "\(step)")
            var changed = manifest
            changed.embeddingWidth = 5
            (changed.canary.textEmbedding, changed.canary.imageEmbedding) = ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])
            try changed.write(folder: folder)
            #expect(try failure(folder).message.contains("embeddings: float32[batch, 12]"))
        }
    }

    @Test(arguments: [[], [0, 1], [4, 4], [2, 1]]) func impossibleBatchSizesAreRefused(_ sizes: [Int]) throws {
        let error = try #require(throws: ConcordError.self) {
            try ExportedModel(folder: "none", options: ExportedModelOptions(batchBuckets: sizes))
        }
        #expect(error.code == .invalidArgument)
    }

    /// In a process of its own, which a mapping of the file would end by SIGBUS.
    @Test func aFolderMayChangeUnderAnOpenModel() async {
        await #expect(processExitsWith: .success) {
            try withTemporaryFolder { folder in
                try TinyArtifact.write(.coca, to: folder)
                let model = try ExportedModel(folder: folder), picture = PreparedImage.canary(size: 16)
                let size = try #require(Files.size(folder + "/weights.data"))
                func answers() throws -> ([[Float]], [[Float]], [Int32]) {
                    let session = try model.makeCaptionSession(for: [picture])
                    let request = GenerationRequest(options: GenerationOptions(maxTokens: 8))
                    return (
                        try model.embed(texts: TinyArtifact.texts.map(model.prepare)),
                        try model.embed(images: [picture]),
                        try TokenGenerator(session, requests: [request]).run()[0][0].tokens
                    )
                }
                let before = try answers()
                for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
                    let path = folder + "/" + name, handle = try #require(FileHandle(forWritingAtPath: path))
                    try handle.write(contentsOf: Data(repeating: 0x3F, count: size))
                    try handle.close()
                    #expect(try answers() == before, "\(name) was overwritten")
                    #expect(truncate(path, 0) == 0)
                    #expect(try answers() == before, "\(name) was cut off")
                }
                #expect(!Files.systemText("/proc/self/maps").contains(folder))
            }
        }
    }

    @Test func stampsTellWhetherAFolderChanged() throws {
        try withTemporaryFolder { folder in
            try TinyArtifact.write(.clip, to: folder)
            let before = try ArtifactManifest.stamps(folder: folder)
            #expect(try ArtifactManifest.stamps(folder: folder) == before)
            for name in before.keys.sorted() {
                // The same bytes: another file all the same.
                try Files.replace(folder + "/" + name, with: Files.read(folder + "/" + name))
                let after = try ArtifactManifest.stamps(folder: folder)
                #expect(after.filter { before[$0.key] != $0.value }.map(\.key).contains(name))
            }
            #expect(try ExportedModel(folder: folder).stamps == ArtifactManifest.stamps(folder: folder))
        }
    }

    /// A copy that goes on while the model is opened: what was compared may not be what is run.
    @Test func aFileThatChangesDuringTheLoadIsNamed() throws {
        try withTemporaryFolder { folder in
            let model = folder + "/model", isDone = Atomic(false)
            try TinyArtifact.write(.clip, to: model)
            let report = try Data(contentsOf: URL(fileURLWithPath: model + "/report.json"))
            let copier = DispatchQueue(label: "copier")
            copier.async {
                while !isDone.load(ordering: .relaxed) {
                    try? report.write(to: URL(fileURLWithPath: model + "/report.json"), options: .atomic)
                }
            }
            defer {
                isDone.store(true, ordering: .relaxed)
                copier.sync {}
            }
            var error: ConcordError?
            while error == nil {
                do { _ = try ExportedModel(folder: model) } catch let found as ConcordError { error = found }
            }
            #expect(error?.code == .invalidCheckpoint)
            #expect(error?.message.contains("report.json was changed while the model was loaded") == true, "\(error)")
        }
    }
}
