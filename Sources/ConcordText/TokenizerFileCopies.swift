import ConcordCore

/// The files that a tokenizer was read from, to write them again as they were.
struct TokenizerFileCopies: Sendable {
    private var files: [(name: String, bytes: [UInt8])] = []

    /// Keeps those of the named files that a folder has.
    init(folder: String, names: [String]) throws(ConcordError) {
        for name in names where Files.exists(folder + "/" + name) {
            files.append((name, try Files.read(folder + "/" + name)))
        }
    }

    func has(_ name: String) -> Bool { files.contains { $0.name == name } }

    /// Writes the files, and `settings` as `tokenizer_config.json` where that is not one of them.
    func write(to folder: String, settings: JSONValue) throws {
        try Files.makeFolder(folder)
        for file in files { try Files.replace(folder + "/" + file.name, with: file.bytes) }
        if !has("tokenizer_config.json") {
            try Files.replace(folder + "/tokenizer_config.json", with: settings.text(pretty: true) + "\n")
        }
    }
}
