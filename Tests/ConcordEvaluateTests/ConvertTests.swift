import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordEvaluate
import ConcordMedia
import ConcordTensor
import ConcordTestSupport
import ConcordText
import Foundation
import Testing

/// `concord convert`: there and back, and what it refuses.
@Suite struct ConvertTests {
    /// Folders that both transformers and open_clip have a class for.
    static let common = ["huggingface-clip", "huggingface-clip-gelu", "open-clip", "open-clip-quickgelu-custom-text"]

    private func convert(_ source: String, to layout: String, _ output: String, _ more: String...) throws
        -> Program.Result
    {
        try Program.run(
            ["convert", "--model", source, "--to", layout, "--output", output, "--json"] + more,
            in: Files.parent(of: output))
    }

    /// The vectors of a folder's golden texts and pictures.
    private func vectors(_ folder: String, _ texts: [String]) throws -> [Float] {
        let model = try EmbeddingModel.load(folder)
        let images = model.images == nil ? [] : [try model.embed(pixels: ModelFolders.pixels, count: 3)]
        return try ([model.embed(texts: texts).vectors] + images).flatMap { $0.scalars(as: Float.self) }
    }

    @Test(arguments: common)
    func thereAndBackIsTheIdentity(_ name: String) throws {
        try withTemporaryFolder { folder in
            let example = try ModelFolders.copy(name, to: folder + "/model")
            let isOpenCLIP = Files.exists(example.folder + "/open_clip_config.json")
            let layouts = isOpenCLIP ? ["huggingface", "open_clip"] : ["open_clip", "huggingface"]
            let there = try convert(example.folder, to: layouts[0], folder + "/there")
            #expect(there.status == 0, "\(there.errors)")
            #expect(try JSONValue(parsing: there.output)["layout"]?.string == layouts[0])
            let back = try convert(folder + "/there", to: layouts[1], folder + "/back")
            #expect(back.status == 0, "\(back.errors)")
            let weights = isOpenCLIP ? "open_clip_model.safetensors" : "model.safetensors"
            let (first, last) = try (ModelFolder(example.folder), ModelFolder(folder + "/back"))
            #expect(first.architecture == last.architecture)
            if name == "open-clip-quickgelu-custom-text" {
                // What open_clip calls the tensors is a choice of its own; the bits are the same.
                let files = try [example.folder, folder + "/back"].map { try SafetensorsFile(path: $0 + "/" + weights) }
                for entry in files[1].entries {
                    let old = try #require(files[0][entry.name] ?? files[0]["text." + entry.name])
                    let equal = try files[0].withUnsafeBytes(of: old) { a in
                        try files[1].withUnsafeBytes(of: entry) { b in a.elementsEqual(b) }
                    }
                    #expect(equal && old.shape == entry.shape, "\(entry.name)")
                }
                #expect(files[0].entries.count == files[1].entries.count)
            } else {
                #expect(try Files.read(example.folder + "/" + weights) == Files.read(folder + "/back/" + weights))
            }
            let expected = try vectors(example.folder, example.texts)
            #expect(try vectors(folder + "/there", example.texts) == expected)
            #expect(try vectors(folder + "/back", example.texts) == expected)
            // No half-made folder is left.
            let left = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            #expect(left == ["back", "errors", "model", "output", "there"])
        }
    }

    @Test(arguments: ModelFolders.dualEncoders + ModelFolders.sentenceEncoders)
    func whatIsSavedIsTheSameModel(_ name: String) throws {
        try withTemporaryFolder { folder in
            let example = try ModelFolders.copy(name, to: folder + "/model")
            let expected = try vectors(example.folder, example.texts)
            let model = try EmbeddingModel.load(example.folder, dtype: nil)
            for layout in CheckpointLayout.Family.allCases {
                let output = folder + "/" + layout.rawValue
                do {
                    try model.save(to: output, layout: layout, training: nil)
                } catch let error as ConcordError {
                    // open_clip has no tiny SigLIP and no text encoders; nothing was written.
                    #expect(error.code == .invalidConfiguration, "\(error)")
                    #expect(
                        layout == .openCLIP
                            && (name == "siglip" || model.images == nil || name == "vision-text-dual-encoder"),
                        "\(error)")
                    #expect(!Files.exists(output))
                    continue
                }
                #expect(try vectors(output, example.texts) == expected, "\(name) as \(layout.rawValue)")
                let saved = try ModelFolder(output)
                #expect(saved.layout.family == layout && saved.manifest?.weightsLayout == layout)
                try saved.manifest?.verifyHashes(folder: output)
                #expect((saved.manifest?.hashes.count ?? 0) >= 4)
                let again = try EmbeddingModel.load(output, dtype: nil)
                try again.save(to: output + "-again", layout: layout, training: nil)
                let file = layout == .openCLIP ? "open_clip_model.safetensors" : "model.safetensors"
                #expect(try Files.read(output + "/" + file) == Files.read(output + "-again/" + file))
            }
        }
    }

    @Test(arguments: [DType.bfloat16, .float16, .float64])
    func theTypeOfTheWeightsIsKept(_ dtype: DType) throws {
        try withTemporaryFolder { folder in
            let example = try ModelFolders.copy("huggingface-clip", to: folder + "/model")
            try EmbeddingModel.load(example.folder, dtype: dtype).save(to: folder + "/small", training: nil)
            let config = try JSONValue(parsing: Files.read(folder + "/small/config.json"), source: "config.json")
            #expect(config["dtype"]?.string == dtype.rawValue)
            let there = try convert(folder + "/small", to: "open_clip", folder + "/there")
            let back = try convert(folder + "/there", to: "huggingface", folder + "/back")
            #expect(there.status == 0 && back.status == 0, "\(there.errors)\(back.errors)")
            let entries = try SafetensorsFile(path: folder + "/there/open_clip_model.safetensors").entries
            #expect(entries.allSatisfy { $0.dtype == dtype } && entries.count > 50)
            #expect(
                try Files.read(folder + "/small/model.safetensors") == Files.read(folder + "/back/model.safetensors"))
        }
    }

    @Test func trainingProvenanceAndTheTokenizersModeAreKept() throws {
        try withTemporaryFolder { folder in
            let model = try EmbeddingModel.load(ZeroShotTests.folder + "/model", dtype: nil)
            let training = ModelManifest.Training(
                recipe: "recipe", dataset: "emoji", steps: 7, tool: "concord", date: "2026-01-02")
            try model.save(to: folder + "/model", layout: .openCLIP, training: training)
            let result = try convert(folder + "/model", to: "huggingface", folder + "/there")
            #expect(result.status == 0, "\(result.errors)")
            let manifest = try ModelManifest(folder: folder + "/there")
            #expect(manifest.training == training && manifest.quirks.tokenizer == .openai)
            #expect(manifest.quirks.crop == .torchvision)
            // Texts that the two modes treat differently.
            let texts = ["a &amp; b", "naïve Σας", "it's  a\u{3000}photo", "<start_of_text>"]
            let again = try EmbeddingModel.load(folder + "/there")
            let ids = try [again, model].map { model in
                let tokenizer = try model.textSide().tokenizer
                return texts.map { tokenizer.encode($0) }
            }
            #expect(ids[0] == ids[1])
        }
    }

    /// What becomes of a text before its tokenizer sees it is not in every format's own files.
    @Test(arguments: ["bert-mean", "open-clip-bert"])
    func cleaningOfTextsIsKept(_ name: String) throws {
        try withTemporaryFolder { folder in
            let source = try ModelFolders.copy(name, to: folder + "/model").folder
            let tokenizer = String(decoding: try Files.read(source + "/tokenizer.json"), as: UTF8.self)
            try Files.replace(
                source + "/tokenizer.json", with: tokenizer.replacingOccurrences(of: "\"10\":10", with: "\"é\":10"))
            let text: String
            if name == "bert-mean" {
                let path = source + "/sentence_bert_config.json"
                let options = String(decoding: try Files.read(path), as: UTF8.self)
                try Files.replace(path, with: options.replacingOccurrences(of: "false", with: "true"))
                text = "5 É"
            } else {
                // open_clip resolves HTML before a tokenizer of transformers.
                text = "5 &eacute;"
            }
            func ids(_ folder: String) throws -> [Int32] {
                try ModelFolder(folder).loadTokenizer().encode(text)
            }
            #expect(try ids(source).contains(10))
            let model = try EmbeddingModel.load(source)
            try model.save(to: folder + "/saved", training: nil)
            #expect(try ids(folder + "/saved") == ids(source))
            if model.images != nil {
                try model.save(to: folder + "/open_clip", layout: .openCLIP, training: nil)
                #expect(try ids(folder + "/open_clip") == ids(source))
            }
        }
    }

    @Test func aModelInTheOutputFolderIsKeptUnlessToldOtherwise() throws {
        try withTemporaryFolder { folder in
            let source = try ModelFolders.copy("huggingface-clip", to: folder + "/model").folder
            let output = folder + "/output-folder"
            try Files.makeFolder(output)
            try Files.replace(output + "/README.md", with: "mine")
            let first = try convert(source, to: "huggingface", output)
            #expect(first.status == 0, "\(first.errors)")
            let refused = try convert(source, to: "open_clip", output)
            #expect(refused.status == 1 && refused.errors.contains("--force"), "\(refused.errors)")
            #expect(try ModelFolder(output).layout.family == .huggingFace)
            let forced = try convert(source, to: "open_clip", output, "--force")
            #expect(forced.status == 0, "\(forced.errors)")
            #expect(try ModelFolder(output).layout.family == .openCLIP)
            #expect(!Files.exists(output + "/config.json") && Files.exists(output + "/README.md"))
            let itself = try convert(source, to: "open_clip", source, "--force")
            #expect(itself.status == 1 && itself.errors.contains("is the model itself"), "\(itself.errors)")
        }
    }

    @Test func aModelThatAFormCannotHoldIsRefused() throws {
        try withTemporaryFolder { folder in
            for (name, layout, problem) in [
                ("open-clip-average", "huggingface", "transformers has no class"),
                ("siglip", "open_clip", "open_clip has no class"), ("bert-mean", "open_clip", "text encoder alone"),
            ] {
                let source = try ModelFolders.copy(name, to: folder + "/" + name).folder
                let result = try convert(source, to: layout, folder + "/out")
                #expect(result.status == 1 && result.errors.contains(problem), "\(name): \(result.errors)")
                #expect(!Files.exists(folder + "/out"))
            }
        }
    }
}
