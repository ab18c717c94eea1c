import ConcordCore
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
