/// The files of a model's repository or snapshot, told apart by their names.
struct ModelFileNames {
    enum Weights: Equatable {
        case file(String)
        /// The index of several files.
        case index(String)
    }

    /// The names in each folder that belongs to the model: the root, and those of sentence-transformers' modules, such
    /// as `1_Pooling`. Keys are empty or end with a slash.
    private let folders: [String: [String]]

    init(_ paths: [String]) {
        var folders = ["": [String]()]
        for path in paths {
            let parts = path.split(separator: "/", omittingEmptySubsequences: false)
            if parts.count == 1 {
                folders["", default: []].append(path)
            } else if parts.count == 2, Self.isModule(parts[0]) {
                folders[parts[0] + "/", default: []].append(String(parts[1]))
            }
        }
        self.folders = folders
    }

    /// A number, an underscore and a name: how sentence-transformers calls the folders of modules.
    private static func isModule(_ name: Substring) -> Bool {
        let digits = name.prefix { $0.isASCII && $0.isNumber }
        return !digits.isEmpty && name.dropFirst(digits.count).hasPrefix("_")
    }

    /// The root first.
    var folderNames: [String] { folders.keys.sorted() }

    /// The safetensors weights of a folder; nil when it has none.
    func weights(in folder: String) -> Weights? {
        let names = folders[folder] ?? []
        if names.contains(CheckpointReader.fileName) { return .file(folder + CheckpointReader.fileName) }
        if names.contains(CheckpointReader.indexName) { return .index(folder + CheckpointReader.indexName) }
        return names.contains(Self.openCLIPName) ? .file(folder + Self.openCLIPName) : nil
    }

    static let openCLIPName = "open_clip_model.safetensors"

    /// The weights of a folder that are Python pickles.
    func pickles(in folder: String) -> [String] {
        let patterns: [NamePattern] = ["pytorch_model*.bin", "open_clip_pytorch_model*.bin"]
        let names = (folders[folder] ?? []).filter { name in patterns.contains { $0.matches(name) } }
        return names.map { folder + $0 }.sorted()
    }

    /// The configurations and tokenizer files of a folder.
    func configurations(in folder: String) -> [String] {
        let patterns: [NamePattern] = ["*.json", "vocab.*", "merges.txt", "*.model"]
        let names = (folders[folder] ?? []).filter { name in
            // Of the lists of several files only the one that is read.
            !name.hasSuffix(".index.json") && patterns.contains { $0.matches(name) }
        }
        return names.map { folder + $0 }.sorted()
    }

    /// Whether something says what the model is.
    var hasConfiguration: Bool {
        ["config.json", "open_clip_config.json", "modules.json"].contains { folders[""]?.contains($0) == true }
    }
}
