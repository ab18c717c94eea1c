import ConcordCore
import ConcordTestSupport
import ConcordText
import Foundation

/// The golden files of this area, which `scripts/golden/make_text.py` wrote from the peers.
enum Golden {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Golden/text").path

    static func json(_ name: String) throws -> JSONValue {
        let path = folder + "/" + name
        return try JSONValue(parsing: try Files.read(path), source: path)
    }

    static func tokenizer(_ mode: CLIPTokenizer.Mode) throws -> CLIPTokenizer {
        try CLIPTokenizer(vocabulary: folder + "/vocab.json", merges: folder + "/merges.txt", mode: mode)
    }

    static func trainingCaptions() throws -> [String] {
        let text = String(decoding: try Files.read(folder + "/trained/captions.txt"), as: UTF8.self)
        return text.split(separator: "\n").map(String.init)
    }
}

extension JSONValue {
    var ids: [Int32] { (elements ?? []).compactMap { $0.int.map(Int32.init) } }
}

/// The tokenizers of all kinds, which `scripts/golden/make_tokenizers.py` wrote from the peers.
extension Golden {
    static func tokenizerFolder(_ kind: String) -> String { folder + "/tokenizers/" + kind }

    /// The adversarial strings.
    static func strings() throws -> [String] {
        (try json("strings.json").elements ?? []).compactMap { $0["text"]?.string }
    }

    /// A tokenizer of a document, through files.
    static func pipeline(_ document: JSONValue, settings: String = "{}") throws -> HuggingFaceTokenizer {
        let folder = try TemporaryFolder()
        try folder.write("tokenizer.json", document.text())
        try folder.write("tokenizer_config.json", settings)
        return try HuggingFaceTokenizer(folder: folder.path)
    }

    /// Ids as bytes, the lowest first.
    static func bytes(of ids: [Int32]) -> [UInt8] {
        ids.flatMap { id in (0..<4).map { UInt8(truncatingIfNeeded: id >> (8 * $0)) } }
    }

    /// The digest of each: the upper half of its 64-bit FNV-1a, in eight hexadecimal digits.
    static func digests(_ contents: [[UInt8]]) -> [String] {
        contents.map { content in
            let hash = content.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
            let digits = String(hash >> 32, radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }
    }

    /// The digests of a golden file, which stand one after the other.
    static func split(_ digests: String) -> [String] {
        let characters = Array(digests)
        return stride(from: 0, to: characters.count, by: 8).map {
            String(characters[$0..<min($0 + 8, characters.count)])
        }
    }
}
