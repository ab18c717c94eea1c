import ConcordCore
import ConcordRuntime
import ConcordTestSupport
import Foundation
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
            for name in ["config.json", "tokenizer.json", "caption_step.onnx", "report.json"] {
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
            #expect(error.code == .inference && error.message.contains("canary picture"), "\(error)")
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
}
