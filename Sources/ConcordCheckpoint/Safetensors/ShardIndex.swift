import ConcordCore

/// `model.safetensors.index.json`: which of several files holds which tensor.
struct ShardIndex {
    private let path: String
    /// Tensor names and the names of their files, in the order of the index.
    private let locations: [(tensor: String, file: String)]

    /// Reads the index. Throws `.fileSystem`, `.malformedText` or `.invalidCheckpoint`.
    init(path: String) throws(ConcordError) {
        self.path = path
        let json = try JSONValue(contentsOf: path, limit: 100_000_000)
        guard let members = json["weight_map"]?.members, !members.isEmpty else {
            throw ConcordError(
                .invalidCheckpoint, "\(path) has no `weight_map` of tensors and their files; fetch it again")
        }
        var locations = [(String, String)]()
        for member in members {
            // A name with a slash could lead out of the model's folder.
            guard let file = member.value.string, file.hasSuffix(".safetensors"), !file.utf8.contains(0x2F) else {
                throw ConcordError(
                    .invalidCheckpoint,
                    "\(path) puts tensor `\(member.name)` into \(member.value.text()), which is not the plain name of "
                        + "a .safetensors file")
            }
            locations.append((member.name, file))
        }
        self.locations = locations
    }

    private var folder: String { Files.parent(of: path) }

    /// The paths of the files, each once, in the order of their names.
    var files: [String] { Set(locations.map(\.file)).sorted().map { folder + "/" + $0 } }

    /// Throws `.invalidCheckpoint` unless each tensor of the index is in the file that it names.
    func check(_ checkpoint: CheckpointReader) throws(ConcordError) {
        let files = Dictionary(checkpoint.files.map { ($0.file.path, $0) }) { first, _ in first }
        let wrong = locations.filter { location in
            guard let file = files[folder + "/" + location.file] else { return true }
            return file[location.tensor] == nil && !file.unreadable.contains { $0.name == location.tensor }
        }
        guard let first = wrong.first else { return }
        throw ConcordError(
            .invalidCheckpoint,
            "\(path) does not match its files: \(wrong.count) tensors are not where it says, the first `\(first.tensor)` "
                + "in \(first.file); fetch the model again")
    }
}
