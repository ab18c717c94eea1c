import ConcordCheckpoint
import ConcordCore
import ConcordTestSupport
import Testing

@Suite struct ModelManifestTests {
    private let manifest = ModelManifest(
        quirks: .init(activation: .gelu, pooling: .firstEndToken, tokenizer: .openai, crop: .torchvision),
        contextLength: 32, hashes: ["model.safetensors": FileHash(.sha256, of: Array("weights".utf8)).hexadecimal],
        training: .init(recipe: "emoji-clip", dataset: "emoji", steps: 260, tool: "concord 0.1.0", date: "2026-01-31"))

    @Test func readsBackWhatItWrote() throws {
        try withTemporaryFolder { folder in
            try manifest.write(folder: folder)
            #expect(try ModelManifest(folder: folder) == manifest)
            var untrained = manifest
            untrained.training = nil
            try untrained.write(folder: folder)
            #expect(try ModelManifest(folder: folder) == untrained)
        }
    }

    @Test func noticesChangedWeights() throws {
        try withTemporaryFolder { folder in
            try Files.replace(folder + "/model.safetensors", with: "weights")
            try manifest.verifyHashes(folder: folder)
            try Files.replace(folder + "/model.safetensors", with: "Weights")
            let error = #expect(throws: ConcordError.self) { try manifest.verifyHashes(folder: folder) }
            #expect(error?.code == .invalidCheckpoint)
        }
    }

    @Test(arguments: [
        (#""format_version": 1"#, #""format_version": 2"#, "later than the 1"),
        (#""format_version": 1"#, #""format_version": 0"#, "at least 1"),
        (#""format_version": 1"#, #""version": 1"#, "`format_version` in concord.json is missing"),
        (#""architecture": "clip""#, #""architecture": "coca""#, "only `clip`"),
        (#""activation""#, #""activatoin""#, "did you mean `activation`?"),
        (#""openai""#, #""openclip""#, "known are: openai, huggingface"),
        (#""first"#, #""last"#, "known are: first, last, argmax, firstEndToken"),
        (#""steps": 260"#, #""steps": -1"#, "at least 0"),
        (#""model.safetensors""#, #""../model.safetensors""#, "not the plain name"),
        (#""sha256": {"#, #""sha256": {"x": "beef", "#, "not a SHA-256"),
        (#""training": {"#, #""training": {"mood": "good", "#, "`training.mood`"),
    ])
    func refuses(_ original: String, _ replacement: String, _ message: String) throws {
        let text = manifest.json().text(pretty: true)
        let changed = text.replacing(original, with: replacement, maxReplacements: 1)
        #expect(changed != text)
        let error = #expect(throws: ConcordError.self) {
            try ModelManifest(JSONValue(parsing: changed), path: "concord.json")
        }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }
}
