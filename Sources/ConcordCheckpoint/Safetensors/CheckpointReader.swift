import ConcordCore

/// The tensors of a checkpoint: one safetensors file, or several with an index, as Hugging Face lays them out.
public struct CheckpointReader: Sendable {
    /// One tensor and the file that holds it.
    public struct Tensor: Sendable {
        /// The name in the file, but for what wrappers around layers have put into it; see ``unwrapped(_:)``.
        public let name: String
        public let entry: SafetensorsFile.Entry
        package let file: SafetensorsFile

        /// Fills `buffer` with bytes of the tensor (little-endian, row-major), from the one at `offset` on. Throws
        /// `.fileSystem`.
        public func read(at offset: Int = 0, into buffer: UnsafeMutableRawBufferPointer) throws(ConcordError) {
            precondition(offset + buffer.count <= entry.byteRange.count, "`\(name)` does not reach so far")
            try file.file.read(at: entry.byteRange.lowerBound + offset, into: buffer)
        }
    }

    package static let fileName = "model.safetensors"
    package static let indexName = "model.safetensors.index.json"
    /// open_clip's file names, old and new.
    package static let openCLIPNames = ["open_clip_model.safetensors", "open_clip_pytorch_model.safetensors"]

    /// Whether a folder has safetensors weights under the names of transformers and Concord.
    static func holdsWeights(_ folder: String) -> Bool {
        [fileName, indexName].contains { Files.exists(folder + "/" + $0) }
    }

    /// The path that the checkpoint was read from: a folder, a safetensors file or an index.
    public let path: String
    /// The files, in the order of their names.
    package let files: [SafetensorsFile]
    /// The tensors, file after file, in the order of their bytes.
    public let tensors: [Tensor]
    /// The tensors of types that cannot be read, and what the files call these.
    package let unreadable: [(name: String, dtypeName: String)]
    // Keyed by bytes: `String` equality would merge names that are canonically equivalent.
    private let positions: [[UInt8]: Int]

    /// Opens a model folder, a `.safetensors` file, or a `.safetensors.index.json`, and checks every header.
    ///
    /// - Throws: `.fileSystem`, or `.invalidCheckpoint`: a damaged file, a shard that the index lists but does not
    ///   hold what it should, a tensor in two shards, or a pickle, which is refused because it can run any code; the
    ///   message then gives the command that converts it.
    public init(path: String) throws(ConcordError) {
        self.path = path
        let location = try Self.locate(path)
        let index = location.hasSuffix(".json") ? try ShardIndex(path: location) : nil
        var opened = [SafetensorsFile]()
        for file in index?.files ?? [location] { opened.append(try SafetensorsFile(path: file)) }
        files = opened
        tensors = files.flatMap { file in
            file.entries.map { Tensor(name: Self.unwrapped($0.name), entry: $0, file: file) }
        }
        unreadable = files.flatMap { file in
            file.unreadable.map { (Self.unwrapped($0.name), $0.dtypeName) }
        }
        var positions = [[UInt8]: Int](minimumCapacity: tensors.count)
        for (position, tensor) in tensors.enumerated() {
            if let position = positions.updateValue(position, forKey: Array(tensor.name.utf8)) {
                let other = tensors[position], path = tensor.file.file.path
                throw ConcordError(
                    .invalidCheckpoint,
                    other.file.file.path == path
                        ? "\(path) holds tensor `\(tensor.name)` twice, as `\(other.entry.name)` and as "
                            + "`\(tensor.entry.name)`; save the model again without the wrapper"
                        : "tensor `\(tensor.name)` is in \(other.file.file.path) and in \(path); remove one of the "
                            + "files or save the model again")
            }
        }
        self.positions = positions
        try index?.check(self)
    }

    /// The tensor called `name`; nil when there is none.
    public subscript(name: String) -> Tensor? { positions[Array(name.utf8)].map { tensors[$0] } }

    /// A tensor's name without what `torch.compile`, FSDP, activation checkpointing and Lightning Fabric put into it,
    /// around the model or around a layer within: `module._orig_mod.logit_scale` → `module.logit_scale`.
    static func unwrapped(_ name: String) -> String {
        let wrappers = ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module"]
        guard wrappers.contains(where: name.contains) else { return name }
        return name.split(separator: ".", omittingEmptySubsequences: false)
            .filter { !wrappers.contains(String($0)) }.joined(separator: ".")
    }

    /// The metadata of the first file.
    public var metadata: [String: String] { files.first?.metadata ?? [:] }

    /// The safetensors file or index that `path` means.
    private static func locate(_ path: String) throws(ConcordError) -> String {
        if isPickle(path) { throw refusal(ofPickle: path) }
        if path.hasSuffix(".safetensors") || path.hasSuffix(".safetensors.index.json") { return path }
        let known = [fileName, indexName] + openCLIPNames
        for name in known where Files.exists(path + "/" + name) { return path + "/" + name }
        guard Files.exists(path) else {
            throw ConcordError(.fileSystem, "cannot open the checkpoint \(path): there is no such file or folder")
        }
        let pickled = [
            "pytorch_model.bin", "pytorch_model.bin.index.json", "open_clip_pytorch_model.bin", "open_clip_model.bin",
            "open_clip_pytorch_model.pt", "open_clip_pytorch_model.pth", "pytorch_model.pth", "model.pth",
        ]
        for name in pickled
        where Files.exists(path + "/" + name) {
            throw refusal(ofPickle: path + "/" + name)
        }
        throw ConcordError(
            .invalidCheckpoint,
            "\(path) holds no weights: none of \(known.joined(separator: ", ")) is there; name a model folder or a "
                + ".safetensors file")
    }

    /// Whether a file is a Python pickle, by the end of its name.
    static func isPickle(_ path: String) -> Bool {
        [".bin", ".pt", ".pth", ".ckpt", ".pkl"].contains(where: path.hasSuffix)
    }

    /// The command that makes safetensors of a pickle.
    static func conversion(ofPickle pickle: String, to output: String) -> String {
        """
        python -c "import sys, torch; from safetensors.torch import save_file; \
        weights = torch.load(sys.argv[1], map_location='cpu', weights_only=True); \
        weights = weights.get('state_dict', weights); \
        save_file({k: v.clone().contiguous() for k, v in weights.items()}, sys.argv[2], {'format': 'pt'})" \
        \(pickle) \(output)
        """
    }

    private static func refusal(ofPickle path: String) -> ConcordError {
        ConcordError(
            .invalidCheckpoint,
            """
            \(path) is a Python pickle, which can run any code when it is loaded; only safetensors are read. \
            Convert it where you trust it:
            \(conversion(ofPickle: path, to: Files.parent(of: path) + "/" + fileName))
            """)
    }
}

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
