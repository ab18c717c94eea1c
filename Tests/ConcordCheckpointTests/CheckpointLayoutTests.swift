import ConcordCheckpoint
import ConcordCore
import ConcordTestSupport
import Testing

/// Names and shapes that our layouts predict from a configuration, against those of the peers' models
/// (`scripts/golden/make_checkpoint.py`, and the folders of `make_folders.py`).
@Suite struct CheckpointLayoutTests {
    static let openCLIPNames = [
        "ViT-B-32", "ViT-B-32-quickgelu", "ViT-L-14", "ViT-H-14-CLIPA-336", "roberta-ViT-B-32",
        "xlm-roberta-large-ViT-H-14", "ViT-B-16-SigLIP", "ViT-SO400M-14-SigLIP-384", "ViT-gopt-16-SigLIP2-256",
    ]

    private static func goldenCase(_ file: String, _ name: String) throws -> JSONValue {
        let cases = try #require(try Golden.json("checkpoint", file).elements)
        return try #require(cases.first { $0["name"]?.string == name }, "\(name)")
    }

    @Test(arguments: openCLIPNames)
    func predictsTheParametersOfOpenCLIP(_ name: String) throws {
        let item = try Self.goldenCase("open-clip-parameters.json", name), given = try #require(item["given"])
        let configuration = try DualEncoderConfiguration(openCLIP: given, path: name)
        let layout = CheckpointLayout.openCLIP(configuration, hasCustomText: given["custom_text"]?.bool ?? false)
        #expect(layout.family == .openCLIP)
        try expect(layout.tensors(of: configuration.parameters), item)
        // open_clip's own configurations make the same choice where nothing is said, but for CLIPA's.
        if name != "ViT-H-14-CLIPA-336" {
            #expect(CheckpointLayout.openCLIP(configuration) == layout)
        }
    }

    @Test(arguments: ["CLIP B/32", "CLIP L/14, 336 pixels", "SigLIP B/16", "SigLIP SO400M", "CLIP and BERT"])
    func predictsTheParametersOfTransformers(_ name: String) throws {
        let item = try Self.goldenCase("huggingface-parameters.json", name)
        let configuration = try DualEncoderConfiguration(huggingFace: #require(item["given"]), path: name)
        try expect(CheckpointLayout.huggingFace(configuration).tensors(of: configuration.parameters), item)
    }

    @Test(arguments: ["BERT", "RoBERTa"])
    func predictsTheParametersOfABERT(_ name: String) throws {
        let item = try Self.goldenCase("huggingface-parameters.json", name)
        let configuration = try BERTConfiguration(huggingFace: #require(item["given"]), path: name)
        try expect(CheckpointLayout.huggingFace.tensors(of: configuration.parameters), item)
    }

    /// The golden names have `*` for the number of a layer, and how many layers there are before the shape.
    private func expect(_ tensors: [KeyReport.Key], _ item: JSONValue) throws {
        let expected = try #require(item["parameters"]?.members).flatMap { member in
            let numbers = (member.value.elements ?? []).compactMap(\.int)
            return (0..<(numbers.first ?? 0)).map { layer in
                KeyReport.Key(member.name.replacing("*", with: String(layer)), Array(numbers.dropFirst()))
            }
        }
        #expect(expected.count > 100)
        try KeyReport(expected: expected, found: tensors, ignoring: []).throwIfAny(item["name"]?.string ?? "")
    }

    /// Every folder that a peer saved, but for the one whose tower has a name that timm does not know.
    @Test(arguments: [
        "bert-cls", "bert-mean", "huggingface-clip", "huggingface-clip-gelu", "open-clip", "open-clip-average",
        "open-clip-bert", "open-clip-clipa", "open-clip-eos", "open-clip-quickgelu-custom-text", "open-clip-tokens",
        "roberta-mean", "siglip", "vision-text-dual-encoder",
    ])
    func predictsTheTensorsOfAFolder(_ name: String) throws {
        let folder = try ModelFolder(Golden.folder("models") + "/folders/" + name)
        let checkpoint = try CheckpointReader(path: folder.weights)
        try KeyReport(
            expected: folder.layout.tensors(of: folder.parameters),
            found: checkpoint.tensors.map { .init($0.name, $0.entry.shape) }, ignoring: []
        ).throwIfAny(name)
    }

    @Test func predictsTheTensorsOfATimmTower() throws {
        let path = Golden.folder("models") + "/folders/siglip"
        let configuration = try DualEncoderConfiguration(folder: path)
        let checkpoint = try CheckpointReader(
            path: Golden.folder("models") + "/folders/open-clip-siglip/open_clip_model.safetensors")
        try KeyReport(
            expected: CheckpointLayout.openCLIP(configuration).tensors(of: configuration.parameters),
            found: checkpoint.tensors.map { .init($0.name, $0.entry.shape) }, ignoring: []
        ).throwIfAny("open-clip-siglip")
    }

    /// A place is where the file has it; the parts of one tensor are told apart.
    @Test func placesTellTransposesAndParts() {
        let plain = CheckpointLayout.openCLIP(DualEncoderConfiguration())
        #expect(plain.place(of: "visual_projection.weight") == StoredTensor("visual.proj", isTransposed: true))
        #expect(
            plain.place(of: "text_model.encoder.layers.11.self_attn.v_proj.bias")
                == StoredTensor("transformer.resblocks.11.attn.in_proj_bias", part: 2, of: 3))
        #expect(
            CheckpointLayout.openCLIP(DualEncoderConfiguration(), hasCustomText: true)
                .place(of: "text_projection.weight") == StoredTensor("text.text_projection", isTransposed: true))
        #expect(
            CheckpointLayout.huggingFaceSigLIP.place(of: "vision_model.head.attention.k_proj.weight")
                == StoredTensor("vision_model.head.attention.in_proj_weight", part: 1, of: 3))
        var siglip = DualEncoderConfiguration()
        siglip.vision.pooling = .attention
        let timm = CheckpointLayout.openCLIP(siglip)
        #expect(
            timm.place(of: "vision_model.head.attention.v_proj.bias")
                == StoredTensor("visual.trunk.attn_pool.kv.bias", part: 1, of: 2))
        #expect(
            timm.place(of: "vision_model.encoder.layers.3.self_attn.k_proj.weight")
                == StoredTensor("visual.trunk.blocks.3.attn.qkv.weight", part: 1, of: 3))
        // A layer's own output projection is no part of the three.
        #expect(
            CheckpointLayout.huggingFaceSigLIP.place(of: "vision_model.head.attention.out_proj.weight")
                == StoredTensor("vision_model.head.attention.out_proj.weight"))
        #expect(StoredTensor("x", part: 1, of: 3, isTransposed: true, leadingAxes: 1).fileShape([2, 4]) == [1, 12, 2])
    }

    /// How files of other years spell the weights of `bert-mean` and `vision-text-dual-encoder`.
    @Test(arguments: [
        ("bert-mean", "bert."), ("bert-mean", "roberta."), ("bert-mean", "0.auto_model."), ("bert-mean", "gamma"),
        ("bert-mean", "bert. gamma"), ("vision-text-dual-encoder", "vision_model."), ("open-clip", "module."),
        ("open-clip", "vector"), ("open-clip", "text."), ("siglip", "scalar"),
    ])
    func fitsFilesOfOtherYears(_ name: String, _ change: String) throws {
        let source = Golden.folder("models") + "/folders/" + name
        let original = try ModelFolder(source)
        try withTemporaryFolder { folder in
            for file in ["config.json", "open_clip_config.json", "modules.json", "1_Pooling/config.json"]
            where Files.exists(source + "/" + file) {
                try Files.makeFolder(Files.parent(of: folder + "/" + file))
                try Files.replace(folder + "/" + file, with: Files.read(source + "/" + file))
            }
            let tensors = try CheckpointReader(path: original.weights).tensors.map { tensor in
                SafetensorsTensor(
                    Self.renamed(tensor.name, change), .uint8, Self.reshaped(tensor.entry.shape, tensor.name, change)
                ) { sink in
                    let zeros = [UInt8](repeating: 0, count: tensor.entry.shape.reduce(1, *))
                    try zeros.withUnsafeBytes(sink)
                }
            }
            let head = SafetensorsTensor("cls.predictions.bias", .uint8, [1], values: [UInt8(0)])
            try SafetensorsWriter.write(
                to: folder + "/model.safetensors", tensors: tensors + (change.hasPrefix("bert.") ? [head] : []))
            let found = try ModelFolder(folder), checkpoint = try CheckpointReader(path: found.weights)
            try KeyReport(
                expected: found.layout.tensors(of: found.parameters),
                found: checkpoint.tensors.map { .init($0.name, $0.entry.shape) }
            ).throwIfAny(change)
            #expect(found.architecture == original.architecture || name == "bert-mean")
            #expect(found.parameters == original.parameters)
        }
    }

    private static func renamed(_ name: String, _ change: String) -> String {
        switch change {
        case "gamma", "bert. gamma":
            let old = name.replacing("LayerNorm.weight", with: "LayerNorm.gamma")
                .replacing("LayerNorm.bias", with: "LayerNorm.beta")
            return (change == "gamma" ? "" : "bert.") + old
        case "vision_model.": return name.hasPrefix(change) ? change + name : name
        case "text.":
            return name.hasPrefix("visual.") || name.hasPrefix("logit") ? name : change + name
        case "vector", "scalar": return name
        default: return change + name
        }
    }

    private static func reshaped(_ shape: [Int], _ name: String, _ change: String) -> [Int] {
        guard name.hasPrefix("logit_") else { return shape }
        return change == "vector" ? [1] : change == "scalar" ? [] : shape
    }
}
