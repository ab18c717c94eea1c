import ConcordCore

/// The choice of files of a repository to download.
public struct HubSelection: Sendable, Hashable {
    /// Patterns for further files; `*` stands for any run of characters, slashes included.
    public var patterns: [String]
    /// Whether to take every file, pickles included; those are stored and never loaded.
    public var isEverything: Bool

    /// What a model needs: configurations, tokenizer, safetensors weights, and the same of sentence-transformers'
    /// modules; and what the patterns add.
    public init(patterns: [String] = [], isEverything: Bool = false) {
        self.patterns = patterns
        self.isEverything = isEverything
    }

    /// The paths to download. Weights come last, so that a snapshot with weights has the rest, too.
    package struct Choice: Equatable {
        package var configurations: [String]
        /// Indexes of weights, which say what else to download.
        package var indexes: [String]
        package var weights: [String]
    }

    /// Chooses from the paths of a repository.
    ///
    /// - Throws: `.hub` when a pattern fits no file, or, before anything is downloaded, when the model has pickles where
    ///   it should have safetensors, or no weights at all. Patterns lift the second rule.
    package func choose(from paths: [String], of repository: HubRepository) throws(ConcordError) -> Choice {
        if isEverything {
            let isWeights = { (path: String) in path.hasSuffix(".safetensors") }
            return Choice(
                configurations: paths.filter { !isWeights($0) }.sorted(), indexes: [],
                weights: paths.filter(isWeights).sorted())
        }
        let names = ModelFileNames(paths)
        var choice = Choice(configurations: [], indexes: [], weights: []), pickles = [String]()
        for folder in names.folderNames {
            choice.configurations += names.configurations(in: folder)
            switch names.weights(in: folder) {
            case .file(let path): choice.weights.append(path)
            case .index(let path): choice.indexes.append(path)
            case nil: pickles += names.pickles(in: folder)
            }
        }
        var added = [String]()
        for pattern in patterns {
            let fitting = paths.filter(NamePattern(pattern).matches)
            guard !fitting.isEmpty else {
                let near = NearestName.suggestion(for: pattern, among: paths).map { "; did you mean `\($0)`?" } ?? ""
                throw ConcordError(.hub, "no file of \(repository) fits `\(pattern.printable)`\(near)")
            }
            added += fitting
        }
        if patterns.isEmpty {
            try Self.requireWeights(choice, pickles: pickles, paths: paths, repository)
        }
        // By bytes: `String` equality would merge names that are canonically equivalent.
        var chosen = Set((choice.configurations + choice.indexes + choice.weights).map { Array($0.utf8) })
        choice.configurations += added.sorted().filter { chosen.insert(Array($0.utf8)).inserted }
        return choice
    }

    private static func requireWeights(
        _ choice: Choice, pickles: [String], paths: [String], _ repository: HubRepository
    ) throws(ConcordError) {
        let hasWeights = !(choice.weights + choice.indexes).isEmpty
        // Without any weights, whatever looks like a pickle explains it.
        let suspects = hasWeights ? [] : paths.filter { CheckpointReader.isPickle($0) }
        if let first = pickles.first ?? suspects.min() {
            let revision =
                repository.revision == HubRepository.defaultRevision ? "" : " --revision \(repository.revision)"
            throw ConcordError(
                .hub,
                """
                \(repository) has weights only as a Python pickle, \(first), which can run any code when it is loaded; \
                nothing was downloaded. Store the files unloaded with \
                `concord pull \(repository.identifier)\(revision) --all`, and convert the pickle where you trust it:
                \(CheckpointReader.conversion(ofPickle: first, to: CheckpointReader.fileName))
                """)
        }
        guard hasWeights else {
            throw ConcordError(
                .hub,
                "\(repository) has no weights that can be read: neither \(CheckpointReader.fileName) nor its index nor "
                    + "\(ModelFileNames.openCLIPName); --include PATTERN takes other files")
        }
    }
}

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
