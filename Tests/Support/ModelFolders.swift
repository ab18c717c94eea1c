import ConcordCore
import ConcordMedia
import Foundation

/// The peers' golden model folders, completed with what they lack to be used by text and picture.
public enum ModelFolders {
    /// Folders whose weights transformers, open_clip and sentence-transformers saved, with one vector for a picture.
    public static let dualEncoders = [
        "huggingface-clip", "huggingface-clip-gelu", "siglip", "vision-text-dual-encoder", "open-clip",
        "open-clip-average", "open-clip-eos", "open-clip-quickgelu-custom-text", "open-clip-clipa", "open-clip-bert",
    ]
    public static let sentenceEncoders = ["bert-mean", "bert-cls", "roberta-mean"]
    public static let textTowers = ["clip-text", "clip-text-projection", "siglip-text"]
    public static let imageTowers = ["clip-vision", "clip-vision-projection", "siglip-vision"]

    /// A folder's golden texts, spelled so that its tokenizer gives the golden ids, and what the peer made of them.
    public struct Example {
        public let folder: String
        public let texts: [String]
        public let outputs: [String: Golden.Tensor]
    }

    /// Copies a golden folder to `folder` and adds a tokenizer and, for pictures, a preprocessing.
    ///
    /// The tokenizer's words are numbers: the text `5 17 42` has these ids.
    public static func copy(_ name: String, to folder: String) throws -> Example {
        try FileManager.default.copyItem(atPath: Golden.folder("models") + "/folders/" + name, toPath: folder)
        try FileManager.default.removeItem(atPath: folder + "/outputs.safetensors")
        try? FileManager.default.removeItem(atPath: folder + "/gradients.safetensors")
        let outputs = try Golden.tensors("models", "folders/\(name)/outputs.safetensors")
        guard let ids = outputs["ids"], let lengths = outputs["lengths"]?.integers else {
            throw ConcordError(.invalidDataset, "\(name) has no ids")
        }
        let width = ids.shape[1]
        let rows = lengths.enumerated().map { Array(ids.integers[$0 * width..<$0 * width + $1]) }
        // Texts that begin alike begin with a start token.
        let start = Set(rows.map { $0[0] }).count == 1 ? rows[0][0] : nil
        let texts = rows.map { row in
            row.dropFirst(start == nil ? 0 : 1).dropLast().map(String.init).joined(separator: " ")
        }
        let shortest = lengths.enumerated().min { $0.element < $1.element }?.offset ?? 0
        try NumberTokenizer.write(
            to: folder, count: 100, start: start, end: rows[0].last ?? 0,
            pad: ids.integers[(shortest + 1) * width - 1])
        if outputs["image.float32"] != nil, !Files.exists(folder + "/open_clip_config.json") {
            try Files.replace(
                folder + "/preprocessor_config.json",
                with: ImagePreprocessing.clip(size: 16).preprocessorConfig().text())
        }
        return Example(folder: folder, texts: texts, outputs: outputs)
    }

    /// The pictures of the golden outputs, `[3, 3, 16, 16]`: SplitMix64 over the FNV-1a hash of a name, plus the index.
    public static let pixels: [Float] = {
        let start = "pixels".utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return (0..<3 * 3 * 16 * 16).map { index in
            var z = start &+ UInt64(index + 1) &* 0x9E37_79B9_7F4A_7C15
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            z ^= z >> 31
            return Float(Double(z >> 40) / Double(1 << 23) - 1)
        }
    }()
}
