import ConcordCheckpoint
import ConcordCore
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// Names that wrappers around a model have changed, and tensors of types that nobody reads.
@Suite struct WrappedNameTests {
    /// A copy of a golden folder with other names in its file of weights.
    private func renamed(_ name: String, _ rename: (String) -> [String], _ body: (String) throws -> Void) throws {
        try withTemporaryFolder { folder in
            let copy = folder + "/model"
            try FileManager.default.copyItem(atPath: GoldenFolder.path(name), toPath: copy)
            let weights = try CheckpointReader(path: copy).files[0].file.path
            let tensors = try TensorFile.read(weights)
            try TensorFile.write(
                tensors.flatMap { tensor in rename(tensor.key).map { ($0, tensor.value) } }, to: weights)
            try body(copy)
        }
    }

    private static let prefixes = [
        "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "model.", "_forward_module.",
        "_forward_module.model.", "_fsdp_wrapped_module.", "student.backbone.",
    ]

    @Test(arguments: ["huggingface-clip", "siglip", "open-clip-quickgelu-custom-text", "open-clip-bert"], prefixes)
    func prefixesAreTakenOff(_ name: String, _ prefix: String) throws {
        let golden = try GoldenFolder(name)
        try renamed(name) {
            [prefix + $0]
        } _: { folder in
            let model = try DualEncoder.load(folder)
            #expect(model.store.notes.isEmpty)
            try withoutGradient {
                try golden.expect("image", model.embedImages(golden.pixels(.float32)), .float32)
                try golden.expect("text", model.embedTexts(golden.ids, lengths: golden.lengths), .float32)
            }
        }
    }

    @Test(arguments: ["bert-mean", "roberta-mean"], ["module.", "module.bert.", "0.auto_model.", "_orig_mod."])
    func prefixesOfSentenceEncodersAreTakenOff(_ name: String, _ prefix: String) throws {
        let golden = try GoldenFolder(name)
        try renamed(name) { original in
            // The head of a language model stands beside the encoder.
            let head = prefix == "module.bert." && original.hasSuffix("LayerNorm.weight")
            return [prefix + original] + (head ? ["module.cls.predictions.\(original)"] : [])
        } _: { folder in
            let model = try SentenceEncoder.load(folder)
            try golden.expect(
                "text", withoutGradient { model.embedTexts(golden.ids, lengths: golden.lengths) }, .float32)
        }
    }

    /// `torch.compile` and FSDP of one layer or tower put their name into the middle.
    @Test func wrappersOfLayersAreTakenOff() throws {
        let golden = try GoldenFolder("huggingface-clip")
        try renamed("huggingface-clip") {
            [
                $0.replacingOccurrences(of: "text_model.", with: "text_model._orig_mod.")
                    .replacingOccurrences(of: "self_attn.", with: "_fsdp_wrapped_module.self_attn.")
                    .replacingOccurrences(of: "mlp.", with: "_checkpoint_wrapped_module.mlp.")
            ]
        } _: { folder in
            let model = try DualEncoder.load(folder)
            try golden.expect("text", withoutGradient { model.embedTexts(golden.ids) }, .float32)
        }
    }

    @Test func severalModelsInOneFileAreTheProblemInOneLine() throws {
        try renamed("huggingface-clip") {
            ["student." + $0, "teacher." + $0]
        } _: { folder in
            let error = #expect(throws: ConcordError.self) { try DualEncoder.load(folder) }
            let message = error?.message ?? ""
            #expect(message.contains("holds several models") && !message.contains("\n"), "\(message)")
            #expect(message.contains("`student.`") && message.contains("`teacher.`"), "\(message)")
        }
    }

    @Test func oneTensorUnderTwoNamesIsNamed() throws {
        try renamed("huggingface-clip") {
            $0 == "logit_scale" ? [$0, "_orig_mod." + $0] : [$0]
        } _: { folder in
            let error = #expect(throws: ConcordError.self) { try DualEncoder.load(folder) }
            #expect(error?.message.contains("holds tensor `logit_scale` twice") == true, "\(error?.message ?? "")")
        }
    }

    // MARK: Types that nobody reads

    /// Puts one more tensor into a file, or says that one is of another type.
    private func edit(_ path: String, _ change: (inout [JSONValue.Member], _ dataCount: Int) -> [UInt8]) throws {
        let bytes = try Files.read(path)
        let length = Int(bytes.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        let header = try JSONValue(parsing: bytes[8..<(8 + length)], source: path)
        var members = header.members ?? []
        let added = change(&members, bytes.count - 8 - length), text = Array(JSONValue.object(members).text().utf8)
        try Files.replace(
            path,
            with: withUnsafeBytes(of: UInt64(text.count).littleEndian, Array.init) + text + bytes[(8 + length)...]
                + added)
    }

    @Test func unusedTensorsOfUnknownTypesAreANote() throws {
        let golden = try GoldenFolder("huggingface-clip")
        try renamed("huggingface-clip") {
            [$0]
        } _: { folder in
            try edit(folder + "/model.safetensors") { members, count in
                members.append(
                    .init(
                        "text_model.scale_cache",
                        [
                            "dtype": "F8_E4M3", "shape": [3, 2],
                            "data_offsets": [.integer(count), .integer(count + 6)],
                        ]))
                return [UInt8](repeating: 1, count: 6)
            }
            let model = try DualEncoder.load(folder)
            let notes = model.store.notes
            #expect(notes.count == 1 && notes[0].contains("`text_model.scale_cache`, which is F8_E4M3"), "\(notes)")
            try golden.expect("text", withoutGradient { model.embedTexts(golden.ids) }, .float32)
        }
    }

    @Test func usedTensorsOfUnknownTypesAreRefused() throws {
        try renamed("huggingface-clip") {
            [$0]
        } _: { folder in
            try edit(folder + "/model.safetensors") { members, _ in
                members = members.map { member in
                    guard member.name == "visual_projection.weight" else { return member }
                    return .init(
                        member.name,
                        .object(
                            (member.value.members ?? []).map { $0.name == "dtype" ? .init("dtype", "F8_E5M2") : $0 }))
                }
                return []
            }
            let error = #expect(throws: ConcordError.self) { try DualEncoder.load(folder) }
            #expect(error?.code == .invalidCheckpoint)
            #expect(
                error?.message.contains("1 tensors of \(folder) are of an unsupported type") == true
                    && error?.message.contains("`visual_projection.weight`, which is F8_E5M2") == true,
                "\(error?.message ?? "")")
        }
    }
}
