import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordEvaluate
import ConcordExport
import ConcordMedia
import ConcordModels
import ConcordONNX
import ConcordRuntime
import ConcordTensor
import ConcordTestSupport
import ConcordText
import Foundation
import Testing

@Suite struct ArtifactExportTests {
    private static func names(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    }

    /// Every family, on 200 pictures and 200 texts of 1 token to more than the context.
    @Test(
        arguments: [
            "huggingface-clip", "siglip", "open-clip", "open-clip-bert", "coca", "coca-patches", "bert-mean",
            "clip-text-projection", "siglip-text",
        ],
        [true, false])
    func aFolderSaysWhatItsModelSays(_ name: String, fused: Bool) throws {
        try withTemporaryFolder { folder in
            let model = try ExportFixture.copy(name, to: folder + "/model")
            var options = ExportOptions(), shown = ""
            options.usesFusedOperations = fused
            let output = folder + "/artifacts/\(name)"
            let bar = ProgressBar(isInteractive: false, usesColor: false, width: { 80 }) { shown += $0 }
            let export = try ArtifactExport.export(
                folder + "/model", to: output, options: options, pictureCount: 200, textCount: 200, bar: bar)
            // A graph is a step, and so is an input.
            let total = 200 + (model.images == nil ? 0 : 200) + ArtifactManifest.GraphRole.allCases.count
            #expect(shown.contains("step 1/\(total) ") && shown.contains("step \(total)/\(total) "), "\(shown)")
            #expect(export.parity.isMet && export.parity.texts.inputs == 200)
            #expect(export.parity.texts.largestError > 0, "something was compared")
            #expect(export.parity.images?.inputs == (model.images == nil ? nil : 200))
            let captions = (try? model.captioner()) != nil
            #expect((export.parity.logits?.inputs ?? 0 > 200) == captions)

            let manifest = try ArtifactManifest(folder: output)
            #expect(manifest.name == "model" && manifest.precision == .float32)
            #expect(manifest.embeddingWidth == model.encoder.embeddingWidth)
            let roles: Set<ArtifactManifest.GraphRole> =
                captions ? Set(ArtifactManifest.GraphRole.allCases) : model.images == nil ? [.text] : [.image, .text]
            #expect(Set(manifest.graphs.keys) == roles)
            let files = try Self.names(output).filter { $0 != ArtifactManifest.fileName && $0 != "1_Pooling" }
            #expect(manifest.hashes.keys.sorted() == files)
            for (file, hash) in manifest.hashes {
                #expect(try FileHash(.sha256, ofFile: output + "/" + file).hexadecimal == hash, "\(file)")
            }
            #expect(files.contains("config.json") && files.contains("concord.json") && files.contains("tokenizer.json"))
            #expect(!files.contains { $0.hasSuffix(".safetensors") })
            let width = manifest.embeddingWidth
            #expect(manifest.canary.textEmbedding.count == width)
            #expect(manifest.canary.imageEmbedding?.count == (model.images == nil ? nil : width))
            #expect((manifest.canary.caption != nil) == captions)
            let text = try model.embed(texts: [manifest.canary.text]).vectors.scalars(as: Float.self)
            expectClose(manifest.canary.textEmbedding, text, absolute: 1e-5)

            // Texts and pictures are prepared as they are for the model.
            let description = try ModelFolder(output)
            let tokenizer = try description.loadTokenizer()
            for text in ["3 5 7", "", "2 2 2 2 2 2 2 2 2 2 2 2 2 2"] {
                #expect(try tokenizer.encode(text) == model.textSide().tokenizer.encode(text))
            }
            if let images = model.images {
                #expect(try description.loadPreprocessing() == images.preprocessing)
                #expect(try #require(manifest.logitScale) > 0)
            }
            try expectServed(output, as: model)
            let report = try JSONValue(parsing: Files.read(output + "/report.json"), source: "report")
            #expect(report["parity"]?["text"]?["texts"]?.int == 200)
            #expect(report["parity"]?["text"]?["max_abs"]?.double == export.parity.texts.largestError)
            #expect(report["operations"]?.string == (fused ? "fused" : "plain"))
            #expect(files.contains(ArtifactExport.pageName))
            let page = try String(contentsOfFile: output + "/" + ArtifactExport.pageName, encoding: .utf8)
            #expect(page.contains("<td>text</td><td class=\"number\">200</td><td>texts</td>"))
            #expect(!page.contains("<svg"), "nothing is compared where nothing is quantized")
            if !fused {
                for file in manifest.graphs.values {
                    let graph = try OnnxModel(path: output + "/" + file)
                    #expect(Set(graph.proto.graph.node.map(\.domain)) == [""], "\(file)")
                }
            }
        }
    }

    /// Expects the model that a server opens to say what `model` says.
    private func expectServed(_ folder: String, as model: EmbeddingModel) throws {
        let served = try ExportedModel(folder: folder), texts = ["3 5 7", "", "4", "2 2 2 2 2 2 2 2 2 2 2 2 2 2"]
        let vectors = try served.embed(texts: texts.map { served.prepare(text: $0) })
        let expected = try model.embed(texts: texts).vectors.scalars(as: Float.self)
        expectClose(vectors.flatMap(\.self), expected, absolute: 1e-5, "served texts")
        guard let size = model.images?.preprocessing.cropSize else { return }
        let picture = PreparedImage.canary(size: size)
        expectClose(
            try served.embed(images: [picture])[0],
            try model.embed(pixels: picture.pixels, count: 1).scalars(as: Float.self),
            absolute: 1e-5, "served picture")
        guard let coCa = model.encoder as? any CaptioningModel else { return }
        let options = GenerationOptions(maxTokens: 6)
        let captions = try TokenGenerator(
            served.makeCaptionSession(for: [picture]), requests: [GenerationRequest(options: options)]
        ).run()
        let own = try coCa.captions(of: Tensor(picture.pixels, shape: [1, 3, size, size]), options: options)
        #expect(captions.map { $0.map(\.tokens) } == own.map { $0.map(\.tokens) })
    }

    @Test func whatIsThereIsNotReplacedUnasked() throws {
        try withTemporaryFolder { folder in
            try ExportFixture.copy("huggingface-clip", to: folder + "/model")
            var options = ExportOptions()
            let output = folder + "/out"
            func export() throws { _ = try ArtifactExport.export(folder + "/model", to: output, options: options) }
            try Files.makeFolder(output)
            try Files.replace(output + "/letter.txt", with: "dear")
            #expect(throws: ConcordError.self) { try export() }
            options.replaces = true
            let foreign = #expect(throws: ConcordError.self) { try export() }
            #expect(foreign?.code == .fileSystem && foreign?.message.contains("no export") == true)
            #expect(try Self.names(output) == ["letter.txt"])

            // An empty folder is as good as none.
            try FileManager.default.removeItem(atPath: output + "/letter.txt")
            options.replaces = false
            try export()
            let first = try ArtifactManifest(folder: output)
            let again = #expect(throws: ConcordError.self) { try export() }
            #expect(again?.code == .fileSystem && again?.message.contains("--force") == true)
            try Files.replace(output + "/old.txt", with: "of the first export")
            options.replaces = true
            options.name = "second"
            try export()
            let second = try ArtifactManifest(folder: output)
            #expect(second.name == "second" && second.vectorSpace == first.vectorSpace)
            #expect(!Files.exists(output + "/old.txt"))
            #expect(try Self.names(folder) == ["model", "out"])
        }
    }

    @Test func aFailedExportLeavesNothing() throws {
        try withTemporaryFolder { folder in
            try ExportFixture.copy("coca", to: folder + "/model")
            try Files.replace(folder + "/file", with: "a file")
            var options = ExportOptions()
            options.tolerance = 0
            let failed = #expect(throws: ConcordError.self) {
                try ArtifactExport.export(folder + "/model", to: folder + "/out", options: options)
            }
            #expect(failed?.code == .inference && failed?.message.contains("max_abs") == true)
            options.tolerance = 1e-4
            let unwritable = #expect(throws: ConcordError.self) {
                try ArtifactExport.export(folder + "/model", to: folder + "/file/out", options: options)
            }
            #expect(unwritable?.code == .fileSystem)
            #expect(throws: ConcordError.self) {
                try ArtifactExport.export(folder + "/none", to: folder + "/out", options: options)
            }
            options.replaces = true
            let itself = #expect(throws: ConcordError.self) {
                try ArtifactExport.export(folder + "/model", to: folder + "/./model", options: options)
            }
            #expect(itself?.message.contains("the model itself") == true)
            #expect(try Self.names(folder) == ["file", "model"])

            // A failure leaves an export that was there, too.
            options.replaces = false
            _ = try ArtifactExport.export(folder + "/model", to: folder + "/out", options: options)
            let manifest = try ArtifactManifest(folder: folder + "/out")
            options.replaces = true
            options.tolerance = 0
            #expect(throws: ConcordError.self) {
                try ArtifactExport.export(folder + "/model", to: folder + "/out", options: options)
            }
            #expect(try ArtifactManifest(folder: folder + "/out") == manifest)
            #expect(try Self.names(folder) == ["file", "model", "out"])
        }
    }

    /// Vectors of two models may be compared when weights and preprocessing are the same, and only then.
    @Test func theVectorSpaceIsThatOfWeightsAndPreprocessing() throws {
        try withTemporaryFolder { folder in
            func space(_ model: String) throws -> String {
                _ = try ArtifactExport.export(folder + "/" + model, to: folder + "/out-" + model)
                return try ArtifactManifest(folder: folder + "/out-" + model).vectorSpace
            }
            try ExportFixture.copy("huggingface-clip", to: folder + "/one").save(to: folder + "/two", training: nil)
            try FileManager.default.copyItem(atPath: folder + "/one", toPath: folder + "/three")
            var preprocessing = try JSONValue(
                parsing: Files.read(folder + "/three/preprocessor_config.json"), source: "three")
            preprocessing = .object(
                (preprocessing.members ?? []).map { member in
                    member.name == "image_mean" ? .init("image_mean", [0.5, 0.5, 0.5]) : member
                })
            try Files.replace(folder + "/three/preprocessor_config.json", with: preprocessing.text())
            try ExportFixture.copy("huggingface-clip-gelu", to: folder + "/four")
            let spaces = try ["one", "two", "three", "four"].map(space)
            #expect(spaces[0] == spaces[1])
            #expect(Set(spaces).count == 3)
        }
    }

    @Test func picturesAndCaptionsComeFromData() throws {
        try withTemporaryFolder { folder in
            let model = try ExportFixture.copy("huggingface-clip", to: folder + "/model")
            var items: [CaptionItem] = []
            for index in 0..<40 {
                let shade = UInt8(index * 6)
                try Image(
                    width: 20, height: 12,
                    pixels: Array(repeating: [shade, 255 - shade, 9], count: 240).flatMap(\.self)
                )
                .write(to: folder + "/\(index).png", as: .png)
                items.append(CaptionItem(image: "\(index).png", captions: [Caption("\(index) 3")]))
            }
            let data = CaptionDataset(folder: folder, items: items)
            let samples = try ExportSamples(for: model, data: data, pictureCount: 8, textCount: 100)
            #expect(samples.pictures.count == 8 && samples.texts.count == 41)
            #expect(samples.pictures[0] == .canary(size: 16) && samples.texts[0] == ExportSamples.canaryText)
            // Spread over all, and prepared as the model wants.
            let image = try Image(contentsOf: folder + "/5.png")
            #expect(samples.pictures[2].pixels == model.images?.preprocessing(image))
            try Files.replace(folder + "/0.png", with: "no picture")
            // A damaged picture is left out; data without any other are refused.
            let others = try ExportSamples(for: model, data: data)
            #expect(others.pictures.count == 31 && others.problems.count == 1)
            #expect(others.problems.first?.contains("0.png") == true)
            let damaged = CaptionDataset(folder: folder, items: [items[0]])
            let error = #expect(throws: ConcordError.self) { try ExportSamples(for: model, data: damaged) }
            #expect(error?.code == .invalidDataset)
        }
    }

    @Test func aTritonRepositoryHoldsTheSameGraphs() throws {
        try withTemporaryFolder { folder in
            try ExportFixture.copy("coca", to: folder + "/model")
            var options = ExportOptions()
            options.format = .triton
            let export = try ArtifactExport.export(folder + "/model", to: folder + "/out", options: options)
            #expect(export.parity.isMet)
            let roles = ArtifactManifest.GraphRole.allCases.map(\.rawValue)
            #expect(try Self.names(folder + "/out") == (roles + ["report.html", "report.json"]).sorted())
            for role in roles {
                #expect(try Self.names(folder + "/out/" + role) == ["1", "config.pbtxt"])
                let session = try OnnxSession(path: folder + "/out/\(role)/1/model.onnx")
                let text = try String(contentsOfFile: folder + "/out/\(role)/config.pbtxt", encoding: .utf8)
                #expect(text.contains("name: \"\(role)\"\nbackend: \"onnxruntime\"\nmax_batch_size: 16\n"))
                for value in session.inputs + session.outputs {
                    // Without the batch, and open where the model is.
                    let dims = value.shape.dropFirst().map { if case .fixed(let n) = $0 { "\(n)" } else { "-1" } }
                    let type = value.elementType == .int64 ? "TYPE_INT64" : "TYPE_FP32"
                    #expect(
                        text.contains(
                            "{ name: \"\(value.name)\" data_type: \(type) dims: [ \(dims.joined(separator: ", ")) ] }"),
                        "\(value): \(text)")
                    #expect(value.shape.first == "batch")
                }
                #expect(text.components(separatedBy: "inputs { key:").count - 1 == 2 * session.inputs.count)
                #expect(text.contains("dynamic_batching {"))
                #expect(text.filter { $0 == "{" }.count == text.filter { $0 == "}" }.count)
            }
            // An export is recognised as one, whatever its form.
            options.replaces = true
            options.format = .folder
            _ = try ArtifactExport.export(folder + "/model", to: folder + "/out", options: options)
            #expect(try ArtifactManifest(folder: folder + "/out").graphs.count == 4)
        }
    }

    @Test func aNumberForEachTextHasNoAxisForTriton() throws {
        try withTemporaryFolder { folder in
            try ExportFixture.copy("bert-mean", to: folder + "/model")
            var options = ExportOptions()
            options.format = .triton
            _ = try ArtifactExport.export(folder + "/model", to: folder + "/out", options: options)
            let text = try String(contentsOfFile: folder + "/out/text/config.pbtxt", encoding: .utf8)
            #expect(text.contains(#"{ name: "lengths" data_type: TYPE_INT64 dims: [ 1 ] reshape { shape: [ ] } }"#))
        }
    }
}
