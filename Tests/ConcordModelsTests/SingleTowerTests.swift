import ConcordCheckpoint
import ConcordCore
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// One tower of a CLIP or SigLIP alone gives what transformers' class for it computes.
@Suite struct SingleTowerTests {
    private static let textTowers = ["clip-text", "clip-text-projection", "siglip-text"]
    private static let imageTowers = ["clip-vision", "clip-vision-projection", "siglip-vision"]

    private func expectTexts(_ folder: String, _ golden: GoldenFolder, _ dtype: DType) throws {
        let model = try SingleTextTower.load(folder, dtype: dtype)
        #expect(model.store.notes.isEmpty)
        try golden.expect("text", withoutGradient { model.embedTexts(golden.ids) }, dtype)
        #expect(model.embeddingWidth == golden.outputs["text.\(dtype)"]?.shape.last)
    }

    private func expectPictures(_ folder: String, _ golden: GoldenFolder, _ dtype: DType) throws {
        let model = try SingleImageTower.load(folder, dtype: dtype)
        #expect(model.store.notes.isEmpty)
        try golden.expect("image", withoutGradient { model.embedImages(golden.pixels(dtype)) }, dtype)
        #expect(model.embeddingWidth == golden.outputs["image.\(dtype)"]?.shape.last)
    }

    @Test(arguments: textTowers, [DType.float32, .float64])
    func textTowersGiveThePeersVectors(_ name: String, _ dtype: DType) throws {
        let golden = try GoldenFolder(name)
        try expectTexts(golden.folder.path, golden, dtype)
    }

    @Test(arguments: imageTowers, [DType.float32, .float64])
    func imageTowersGiveThePeersVectors(_ name: String, _ dtype: DType) throws {
        let golden = try GoldenFolder(name)
        try expectPictures(golden.folder.path, golden, dtype)
    }

    /// A copy of a golden folder whose tensors have other names.
    private func renamed(
        _ golden: GoldenFolder, _ rename: (String) -> String, _ body: (String) throws -> Void
    ) throws {
        try withTemporaryFolder { folder in
            let copy = folder + "/model", weights = copy + "/model.safetensors"
            try FileManager.default.copyItem(atPath: golden.folder.path, toPath: copy)
            let tensors = try TensorFile.read(weights)
            try TensorFile.write(tensors.map { (rename($0.key), $0.value) }, to: weights)
            try body(copy)
        }
    }

    /// transformers 4 and diffusers keep the tower's name in front of all names, with and without a projection.
    @Test(arguments: ["clip-text", "siglip-text", "clip-vision", "siglip-vision"])
    func bothSpellingsAreRead(_ name: String) throws {
        let golden = try GoldenFolder(name), isText = name.hasSuffix("text")
        let root = isText ? "text_model." : "vision_model."
        for prefix in [root, "module._orig_mod." + root, "model."] {
            try renamed(golden) {
                prefix + $0
            } _: { folder in
                try isText ? expectTexts(folder, golden, .float32) : expectPictures(folder, golden, .float32)
            }
        }
    }

    /// The weights say whether there is a projection where the configuration does not name the class.
    @Test(arguments: ["clip-text-projection", "clip-vision-projection"])
    func theWeightsSayWhetherTheyProject(_ name: String) throws {
        let golden = try GoldenFolder(name)
        try renamed(golden) {
            $0
        } _: { folder in
            let path = folder + "/config.json"
            let members = try JSONValue(parsing: Files.read(path), source: path).members ?? []
            let rest = members.filter { $0.name != "architectures" && $0.name != "projection_dim" }
            try Files.replace(path, with: JSONValue.object(rest).text())
            try name.contains("text") ? expectTexts(folder, golden, .float32) : expectPictures(folder, golden, .float32)
        }
    }

    /// A projection that the configuration claims and the weights lack is not left out in silence.
    @Test func aMissingProjectionIsNamed() throws {
        let golden = try GoldenFolder("clip-text-projection")
        try renamed(golden) {
            $0 == "text_projection.weight" ? "text_projektion.weight" : $0
        } _: { folder in
            let error = #expect(throws: ConcordError.self) { try SingleTextTower.load(folder) }
            #expect(error?.message.contains("text_projection.weight [8, 16] (did the file mean it by") == true)
        }
    }

    @Test func theListOfParametersIsThatOfTheModel() throws {
        for name in Self.textTowers + Self.imageTowers {
            let golden = try GoldenFolder(name), path = golden.folder.path
            let model: any EmbeddingEncoder =
                name.contains("text") ? try SingleTextTower.load(path) : try SingleImageTower.load(path)
            #expect(
                golden.folder.parameters == model.store.parameters.map { KeyReport.Key($0.name, $0.tensor.shape) })
        }
    }

    @Test func aTowerIsNotTakenForAnotherModel() throws {
        let text = GoldenFolder.path("clip-text"), vision = GoldenFolder.path("clip-vision")
        func message(_ body: () throws -> Void) -> String {
            #expect(throws: ConcordError.self, performing: body)?.message ?? ""
        }
        #expect(message { _ = try DualEncoder.load(text) }.contains("a text tower alone, which is no DualEncoder"))
        #expect(message { _ = try DualEncoder.load(vision) }.contains("an image tower alone, which is no DualEncoder"))
        #expect(
            message { _ = try SingleTextTower.load(vision) }.contains(
                "an image tower alone, which is no SingleTextTower"))
        #expect(
            message { _ = try SingleImageTower.load(text) }.contains("a text tower alone, which is no SingleImageTower")
        )
        #expect(
            message { _ = try SentenceEncoder.load(vision) }.contains(
                "an image tower alone, which is no SentenceEncoder"))
    }

    /// The kind is known before any weight is read: these do not fit.
    @Test func anotherModelIsToldWithoutItsWeights() throws {
        try withTemporaryFolder { folder in
            try FileManager.default.copyItem(atPath: GoldenFolder.path("clip-text"), toPath: folder + "/model")
            let path = folder + "/model/config.json"
            let config = try JSONValue(contentsOf: path).members ?? []
            let layers = try #require(config.first { $0.name == "num_hidden_layers" }?.value.int)
            let more = config.map { $0.name == "num_hidden_layers" ? .init($0.name, .integer(layers + 1)) : $0 }
            try Files.replace(path, with: JSONValue.object(more).text())
            let own = #expect(throws: ConcordError.self) { try SingleTextTower.load(folder + "/model") }
            #expect(own?.code == .invalidCheckpoint)
            let other = #expect(throws: ConcordError.self) { try DualEncoder.load(folder + "/model") }
            #expect(other?.code == .invalidConfiguration && other?.message.contains("no DualEncoder") == true)
        }
    }

    @Test func everyKindOfFolderHasAModel() {
        for kind in ModelFolder.Architecture.kinds { #expect(kind is any ModelConfiguration.Type, "\(kind)") }
    }
}
