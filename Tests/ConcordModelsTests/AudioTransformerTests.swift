import ConcordCheckpoint
import ConcordCore
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// Whisper's encoder and AST against transformers' `WhisperEncoder` and `ASTModel`.
@Suite struct AudioTransformerTests {
    static let names = ["audio-whisper", "audio-ast"]

    private static func model(_ golden: AudioTowerGolden, _ dtype: DType?) throws -> any AudioEncoder {
        golden.name == "audio-ast"
            ? try golden.model(AudioSpectrogramTransformer.self, dtype) : try golden.model(WhisperEncoder.self, dtype)
    }

    private static func vectors(_ model: any AudioEncoder, _ dtype: DType) -> Tensor {
        let tower = model.audioConfiguration
        return model.embedAudio(
            AudioTowerGolden.spectrograms(frames: tower.frames.upperBound, bins: tower.bins, dtype: dtype),
            lengths: Tensor([32, 10, 9, 1]))
    }

    @Test(arguments: names, [DType.float32, .float64])
    func embeddings(_ name: String, _ dtype: DType) throws {
        let golden = try AudioTowerGolden(name), model = try Self.model(golden, dtype)
        try withoutGradient { try golden.expect("audio", Self.vectors(model, dtype), dtype) }
    }

    @Test(arguments: [DType.float32, .float64]) func whisperWithoutLengthsTakesAllFrames(_ dtype: DType) throws {
        let golden = try AudioTowerGolden("audio-whisper"), model = try golden.model(WhisperEncoder.self, dtype)
        try withoutGradient {
            try golden.expect(
                "whole", model.embedAudio(AudioTowerGolden.spectrograms(frames: 32, bins: 6, dtype: dtype)), dtype)
        }
    }

    @Test(arguments: names, [DType.float32, .float64])
    func everyGradient(_ name: String, _ dtype: DType) throws {
        let golden = try AudioTowerGolden(name), model = try Self.model(golden, dtype)
        let vectors = Self.vectors(model, dtype)
        let weights = Tensor(FormulaWeights.formula("weights", count: 32), shape: vectors.shape).to(dtype)
        (vectors * weights).sum().backward()
        try golden.expectGradients(model.store, dtype)
    }

    @Test(arguments: names) func weightsAreThePeersFile(_ name: String) throws {
        let golden = try AudioTowerGolden(name)
        try golden.withFolder { path in
            func hash(_ file: String) throws -> String { try FileHash(.sha256, ofFile: path + "/" + file).hexadecimal }
            #expect(try hash("model.safetensors") == golden.weightsHash)
            let folder = try ModelFolder(path)
            try folder.loadModel(dtype: nil).store.save(to: path + "/again.safetensors", layout: folder.layout)
            #expect(try hash("again.safetensors") == golden.weightsHash)
        }
    }

    /// With a prefix, as in a model with a head, and beside a decoder.
    @Test(arguments: [
        ("audio-whisper", "model.", ["model.decoder.layer_norm.weight", "proj_out.weight"]),
        ("audio-ast", "audio_spectrogram_transformer.", ["classifier.dense.weight"]),
    ])
    func weightsOfAWholeModelAreRead(_ name: String, _ prefix: String, _ others: [String]) throws {
        let golden = try AudioTowerGolden(name)
        try golden.withFolder { folder in
            let more = others.map { SafetensorsTensor($0, .float32, [0]) { _ in } }
            try SafetensorsWriter.write(
                to: folder + "/model.safetensors",
                tensors: try AudioTowerGolden.tensors(of: folder) { prefix + $0 } + more)
            let model = try #require(ModelFolder(folder).loadModel() as? any AudioEncoder)
            try withoutGradient { try golden.expect("audio", Self.vectors(model, .float32), .float32) }
            // Nothing else may be there.
            let strange = SafetensorsTensor("strange.weight", .float32, [0]) { _ in }
            try SafetensorsWriter.write(
                to: folder + "/model.safetensors",
                tensors: try AudioTowerGolden.tensors(of: folder) { $0 } + [strange])
            let error = #expect(throws: ConcordError.self) { try ModelFolder(folder).loadModel() }
            #expect(error?.code == .invalidCheckpoint && error?.message.contains("strange.weight") == true)
        }
    }

    /// AST has other names in the memory of transformers since version 5, and in files that were saved so.
    @Test func newNamesOfASTAreRead() throws {
        let golden = try AudioTowerGolden("audio-ast")
        let renamed = [
            ("encoder.layer.", "layers."), ("attention.attention.query", "attention.q_proj"),
            ("attention.attention.key", "attention.k_proj"), ("attention.attention.value", "attention.v_proj"),
            ("attention.output.dense", "attention.o_proj"), ("intermediate.dense", "mlp.fc1"),
            ("output.dense", "mlp.fc2"),
        ]
        try golden.withFolder { folder in
            let tensors = try AudioTowerGolden.tensors(of: folder) { name in
                renamed.reduce(name) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
            }
            try SafetensorsWriter.write(to: folder + "/model.safetensors", tensors: tensors)
            let model = try AudioSpectrogramTransformer.load(folder)
            try withoutGradient { try golden.expect("audio", Self.vectors(model, .float32), .float32) }
        }
    }

    /// The configuration from which `make_audio_towers.py` has transformers make the model again, with equal outputs.
    @Test(arguments: names) func writesTheConfigurationThatTransformersRead(_ name: String) throws {
        let golden = try AudioTowerGolden(name), path = Golden.folder("models") + "/\(name)/config.json"
        let json = try JSONValue(contentsOf: path)
        let written =
            name == "audio-ast"
            ? try ASTConfiguration(huggingFace: json, path: path).huggingFaceJSON()
            : try WhisperEncoderConfiguration(huggingFace: json, path: path).huggingFaceJSON()
        #expect(try written == Golden.json("models", "written/\(name).json"))
        try golden.withFolder { folder in
            let architecture = try ModelFolder(folder).architecture
            try Files.replace(folder + "/config.json", with: written.text())
            #expect(try ModelFolder(folder).architecture == architecture)
        }
    }

    @Test(arguments: names) func parametersAreThoseOfTheConfiguration(_ name: String) throws {
        try AudioTowerGolden(name).withFolder { path in
            let folder = try ModelFolder(path), model = try folder.loadModel()
            #expect(folder.parameters == model.store.parameters.map { .init($0.name, $0.tensor.shape) })
        }
    }

    @Test(arguments: [
        ("audio-ast", #""patch_size": 4"#, #""patch_size": 40"#, "above the spectrogram"),
        ("audio-ast", #""hidden_size": 8"#, #""hidden_size": 9"#, "not a multiple"),
        ("audio-whisper", #""d_model": 8"#, #""d_model": 0"#, "d_model"),
        ("audio-whisper", #""activation_function": "gelu""#, #""activation_function": "tanh""#, "not supported"),
    ])
    func configurationsThatAreImpossible(
        _ name: String, _ found: String, _ replacement: String, _ message: String
    ) throws {
        try AudioTowerGolden(name).withFolder { folder in
            let text = String(decoding: try Files.read(folder + "/config.json"), as: UTF8.self)
            #expect(text.contains(found))
            try Files.replace(
                folder + "/config.json", with: text.replacingOccurrences(of: found, with: replacement))
            let error = #expect(throws: ConcordError.self) { try ModelFolder(folder) }
            #expect(error?.code == .invalidConfiguration && error?.message.contains(message) == true, "\(error as Any)")
        }
    }
}
