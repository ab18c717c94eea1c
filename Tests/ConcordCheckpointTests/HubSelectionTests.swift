import ConcordCheckpoint
import ConcordCore
import Testing

@Suite struct HubSelectionTests {
    private func choose(
        _ paths: [String], patterns: [String] = [], isEverything: Bool = false
    ) throws -> [String] {
        let choice = try HubSelection(patterns: patterns, isEverything: isEverything).choose(
            from: paths, of: HubRepository("ann/cat"))
        return choice.configurations + choice.indexes + choice.weights
    }

    private let duplicates = [
        "pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "onnx/model.onnx", "onnx/config.json", "README.md",
        ".gitattributes", "pytorch_model.bin.index.json", "training_args.bin", "LICENSE.txt",
    ]

    @Test func takesWeightsOnceAndLast() throws {
        let names = ["config.json", "merges.txt", "preprocessor_config.json", "tokenizer.json", "vocab.json"]
        #expect(try choose(["model.safetensors"] + names + duplicates) == names + ["model.safetensors"])
        #expect(
            try choose(["open_clip_model.safetensors", "model.safetensors", "open_clip_config.json"])
                == ["open_clip_config.json", "model.safetensors"])
        #expect(
            try choose(["open_clip_model.safetensors", "open_clip_config.json", "open_clip_pytorch_model.bin"])
                == ["open_clip_config.json", "open_clip_model.safetensors"])
        #expect(
            try choose(["spiece.model", "vocab.txt", "model.safetensors", "model.safetensors.index.json"])
                == ["spiece.model", "vocab.txt", "model.safetensors"])
        #expect(
            try choose(["a.json", "model.safetensors.index.json", "model-00001-of-00001.safetensors"])
                == ["a.json", "model.safetensors.index.json"])
    }

    @Test func takesTheModulesOfASentenceEncoder() throws {
        let paths = [
            "modules.json", "model.safetensors", "1_Pooling/config.json", "2_Dense/config.json",
            "2_Dense/model.safetensors", "2_Dense/pytorch_model.bin", "3_Normalize/x.md", "openvino/config.json",
            "checkpoint-10/config.json",
        ]
        #expect(
            try choose(paths) == [
                "modules.json", "1_Pooling/config.json", "2_Dense/config.json", "model.safetensors",
                "2_Dense/model.safetensors",
            ])
        #expect(
            try choose(["modules.json", "0_Transformer/config.json", "0_Transformer/model.safetensors"])
                == ["modules.json", "0_Transformer/config.json", "0_Transformer/model.safetensors"])
    }

    @Test func patternsAdd() throws {
        let paths = ["config.json", "model.safetensors", "a/b.md", "c.md", "pytorch_model.bin"]
        #expect(try choose(paths, patterns: ["*.md"]) == ["config.json", "a/b.md", "c.md", "model.safetensors"])
        #expect(try choose(["c.md", "x.bin"], patterns: ["c.md"]) == ["c.md"])
        #expect(
            try choose(paths, isEverything: true)
                == ["a/b.md", "c.md", "config.json", "pytorch_model.bin", "model.safetensors"])
        let error = #expect(throws: ConcordError.self) { try choose(paths, patterns: ["confg.json"]) }
        #expect(error?.message.contains("did you mean `config.json`?") == true)
    }

    @Test(arguments: [
        (["config.json", "pytorch_model.bin"], "pytorch_model.bin"),
        (["config.json", "pytorch_model-00001-of-00002.bin"], "pytorch_model-00001-of-00002.bin"),
        (["open_clip_config.json", "open_clip_pytorch_model.bin"], "open_clip_pytorch_model.bin"),
        (["ViT-B-32.pt"], "ViT-B-32.pt"),
        (["modules.json", "model.safetensors", "2_Dense/pytorch_model.bin"], "2_Dense/pytorch_model.bin"),
        (["config.json", "0_Transformer/pytorch_model.bin"], "0_Transformer/pytorch_model.bin"),
    ])
    func refusesPicklesAndSaysHowToConvert(_ paths: [String], _ pickle: String) throws {
        let error = #expect(throws: ConcordError.self) { try choose(paths) }
        #expect(error?.message.contains(pickle) == true && error?.message.contains("save_file") == true)
        #expect(error?.message.contains("concord pull ann/cat --all") == true)
    }

    @Test func refusesARepositoryWithoutWeights() throws {
        let error = #expect(throws: ConcordError.self) { try choose(["config.json", "model.gguf"]) }
        #expect(error?.message.contains("no weights that can be read") == true)
    }
}
