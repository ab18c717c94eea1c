import ConcordCheckpoint
import ConcordCore
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// CLAP against transformers' `ClapModel`, unfused and fused.
@Suite struct CLAPTests {
    static let names = ["audio-clap", "audio-clap-fused"]
    /// Frames of the clips of which the fused model takes the second and third for longer than 101 or 128.
    private static var lengths: Tensor { Tensor([101, 700, 129, 40]) }

    private static func spectrograms(_ model: CLAP, frames: Int, _ dtype: DType) -> Tensor {
        AudioTowerGolden.spectrograms(
            frames: frames, bins: 8, channels: model.audioConfiguration.channels, dtype: dtype)
    }

    @Test(arguments: names, [DType.float32, .float64])
    func embeddingsAndLoss(_ name: String, _ dtype: DType) throws {
        let golden = try AudioTowerGolden(name), model = try golden.model(CLAP.self, dtype)
        try withoutGradient {
            let audio = model.embedAudio(Self.spectrograms(model, frames: 101, dtype), lengths: Self.lengths)
            // As many frames as fill the picture, so that nothing is stretched.
            let whole = model.embedAudio(Self.spectrograms(model, frames: 128, dtype), lengths: Self.lengths)
            let text = model.embedTexts(AudioTowerGolden.texts.ids, lengths: AudioTowerGolden.texts.lengths)
            try golden.expect("audio", audio, dtype)
            try golden.expect("whole", whole, dtype)
            try golden.expect("text", text, dtype)
        }
    }

    @Test(arguments: names, [DType.float32, .float64])
    func everyGradient(_ name: String, _ dtype: DType) throws {
        let golden = try AudioTowerGolden(name), model = try golden.model(CLAP.self, dtype)
        let audio = model.embedAudio(Self.spectrograms(model, frames: 101, dtype), lengths: Self.lengths)
        let text = model.embedTexts(AudioTowerGolden.texts.ids, lengths: AudioTowerGolden.texts.lengths)
        let labels = Tensor(Array(0..<4))
        let sounds = Tensor.crossEntropy(
            model.audioLogitScale.exp() * audio.matmul(text.transposed(0, 1)), targets: labels)
        let texts = Tensor.crossEntropy(
            model.textLogitScale.exp() * text.matmul(audio.transposed(0, 1)), targets: labels)
        ((sounds + texts) / 2).backward()
        try golden.expectGradients(model.store, dtype)
    }

    /// Keys, order and bits: what is written is what transformers writes, and so it stays when it is read and written.
    @Test(arguments: names) func weightsAreThePeersFile(_ name: String) throws {
        let golden = try AudioTowerGolden(name)
        try golden.withFolder { folder in
            func hash(_ file: String) throws -> String {
                try FileHash(.sha256, ofFile: folder + "/" + file).hexadecimal
            }
            #expect(try hash("model.safetensors") == golden.weightsHash)
            let model = try CLAP.load(folder, dtype: nil)
            try model.store.save(to: folder + "/again.safetensors")
            #expect(try hash("again.safetensors") == golden.weightsHash)
        }
    }

    /// The configuration from which `make_audio_towers.py` has transformers make the model again, with equal outputs.
    @Test(arguments: names) func writesTheConfigurationThatTransformersRead(_ name: String) throws {
        let golden = try AudioTowerGolden(name), model = try golden.model(CLAP.self, nil)
        #expect(try model.configuration.huggingFaceJSON() == Golden.json("models", "written/\(name).json"))
        let again = try CLAPConfiguration(huggingFace: model.configuration.huggingFaceJSON(), path: "again")
        #expect(again == model.configuration)
    }

    @Test(arguments: names) func parametersAreThoseOfTheConfiguration(_ name: String) throws {
        let model = try AudioTowerGolden(name).model(CLAP.self, nil)
        #expect(model.configuration.parameters == model.store.parameters.map { .init($0.name, $0.tensor.shape) })
    }

    /// 153,492,890 parameters, as transformers counts them.
    @Test func standardConfigurationHasThePublishedSize() {
        let count = CLAPConfiguration().parameters.map { $0.shape.reduce(1, *) }.reduce(0, +)
        #expect(count == 153_492_890)
    }

    /// A row's vector does not depend on the rows beside it, nor on whether any of them is longer.
    @Test func aFusedRowAloneIsTheSame() throws {
        let model = try AudioTowerGolden("audio-clap-fused").model(CLAP.self, .float64)
        let features = Self.spectrograms(model, frames: 101, .float64)
        withoutGradient {
            let together = model.embedAudio(features, lengths: Self.lengths)
            for row in 0..<4 {
                func own(_ x: Tensor) -> Tensor { x.sliced(axis: 0, from: row, to: row + 1) }
                expectClose(
                    model.embedAudio(own(features), lengths: own(Self.lengths)).scalars(as: Double.self),
                    own(together).scalars(as: Double.self), absolute: 1e-13)
            }
            // Without lengths none is longer: the crops do not count.
            let none = model.embedAudio(features)
            let other = Tensor.concatenated(
                [features.sliced(axis: 1, from: 0, to: 1), features.sliced(axis: 1, from: 1) * 3], axis: 1)
            expectClose(
                model.embedAudio(other).scalars(as: Double.self), none.scalars(as: Double.self), absolute: 1e-13)
        }
    }

    // MARK: - Files

    /// Older files lack the tables of integers, and have a prefix.
    @Test func filesWithoutIntegersAreRead() throws {
        let golden = try AudioTowerGolden("audio-clap")
        try golden.withFolder { folder in
            let tensors = try AudioTowerGolden.tensors(of: folder, withIntegers: false) { "clap." + $0 }
            #expect(try tensors.count < CheckpointReader(path: folder).tensors.count)
            try SafetensorsWriter.write(to: folder + "/model.safetensors", tensors: tensors)
            let model = try CLAP.load(folder)
            try withoutGradient {
                try golden.expect(
                    "audio", model.embedAudio(Self.spectrograms(model, frames: 101, .float32)), .float32)
            }
        }
    }

    @Test(arguments: [
        ("a table of other distances", "relative_position_index", "other values than its configuration gives"),
        ("positions that jump", "position_ids", "other values than its configuration gives"),
    ])
    func integersThatDoNotFit(_ what: String, _ buffer: String, _ message: String) throws {
        try AudioTowerGolden("audio-clap").withFolder { folder in
            let model = try CLAP.load(folder, dtype: nil)
            let table = try #require(model.store.buffers.first { $0.name.hasSuffix(buffer) })
            withoutGradient { table.tensor.copy(from: table.tensor * 2) }
            try model.store.save(to: folder + "/model.safetensors")
            let error = #expect(throws: ConcordError.self) { try CLAP.load(folder) }
            #expect(error?.code == .invalidCheckpoint && error?.message.contains(message) == true, "\(what)")
        }
    }

    @Test(arguments: [
        (#""window_size": 4"#, #""window_size": 3"#, "windows of 3 do not tile"),
        (#""hidden_size": 16"#, #""hidden_size": 24"#, "its last stage has 16 channels"),
        (#""spec_size": 32"#, #""spec_size": 36"#, "is not a multiple of the 8 mel bins"),
        (#""patch_embed_input_channels": 1"#, #""patch_embed_input_channels": 2"#, "a sound has one spectrogram"),
        (#""num_mel_bins": 8"#, #""num_mel_bins": -8"#, "num_mel_bins"),
        (#""mlp_ratio": 2.0"#, #""mlp_ratio": "two""#, "mlp_ratio"),
    ])
    func configurationsThatAreImpossible(_ found: String, _ replacement: String, _ message: String) throws {
        let path = Golden.folder("models") + "/audio-clap/config.json"
        let text = String(decoding: try Files.read(path), as: UTF8.self)
        #expect(text.contains(found))
        let json = try JSONValue(parsing: text.replacingOccurrences(of: found, with: replacement), source: path)
        let error = #expect(throws: ConcordError.self) { try CLAPConfiguration(huggingFace: json, path: path) }
        #expect(error?.code == .invalidConfiguration && error?.message.contains(message) == true, "\(error as Any)")
    }

    @Test func aCLAPIsNotTakenForAnotherModel() throws {
        try AudioTowerGolden("audio-clap").withFolder { folder in
            let error = #expect(throws: ConcordError.self) { try DualEncoder.load(folder) }
            #expect(error?.message.contains("a CLAP of sounds and texts, which is no DualEncoder") == true)
        }
    }
}
