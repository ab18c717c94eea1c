import ConcordCore

/// `concord.json`: what a model folder must say beyond Hugging Face's files, so that it means one thing only.
public struct ModelManifest: Sendable, Hashable {
    /// Which tokenizer the text tower was trained with; the two treat hard strings differently.
    public enum TokenizerMode: String, Sendable, Hashable, CaseIterable {
        /// OpenAI's and open_clip's `SimpleTokenizer`.
        case openai
        /// transformers' `CLIPTokenizer`.
        case huggingface
    }

    /// How the margin of a centre crop is rounded when it is not whole.
    public enum CropRule: String, Sendable, Hashable, CaseIterable {
        /// Half to even, as torchvision, OpenAI and open_clip do.
        case torchvision
        /// Down, as transformers does.
        case huggingface
    }

    /// What differs between models of one architecture.
    public struct Quirks: Sendable, Hashable {
        public var activation: Activation
        public var pooling: TextTransformerConfiguration.Pooling
        public var tokenizer: TokenizerMode
        public var crop: CropRule

        public init(
            activation: Activation, pooling: TextTransformerConfiguration.Pooling,
            tokenizer: TokenizerMode, crop: CropRule
        ) {
            self.activation = activation
            self.pooling = pooling
            self.tokenizer = tokenizer
            self.crop = crop
        }
    }

    /// Where the weights come from.
    public struct Training: Sendable, Hashable {
        public var recipe: String
        public var dataset: String
        public var steps: Int
        /// The program and its version.
        public var tool: String
        /// The day it ended, as ISO 8601.
        public var date: String

        public init(recipe: String, dataset: String, steps: Int, tool: String, date: String) {
            self.recipe = recipe
            self.dataset = dataset
            self.steps = steps
            self.tool = tool
            self.date = date
        }
    }

    public static let fileName = "concord.json"
    /// The version that this code writes; later ones are refused.
    public static let currentFormatVersion = 1

    public var formatVersion: Int
    public var architecture: String
    public var quirks: Quirks
    /// Tokens of the longest text, start and end token included.
    public var contextLength: Int
    /// The file of the folder that describes how pictures are prepared.
    public var preprocessing: String
    /// SHA-256 in hexadecimal, by file name.
    public var hashes: [String: String]
    /// Nil for weights of unknown origin.
    public var training: Training?

    public init(
        architecture: String = "clip", quirks: Quirks, contextLength: Int,
        preprocessing: String = "preprocessor_config.json", hashes: [String: String] = [:], training: Training? = nil
    ) {
        formatVersion = Self.currentFormatVersion
        self.architecture = architecture
        self.quirks = quirks
        self.contextLength = contextLength
        self.preprocessing = preprocessing
        self.hashes = hashes
        self.training = training
    }

    /// Reads the manifest of a model folder.
    ///
    /// - Throws: `.fileSystem`, `.malformedText`, or `.invalidConfiguration` for a later version, an unknown member
    ///   (a misspelt quirk would change the model in silence), or a value of the wrong kind.
    public init(folder: String) throws(ConcordError) {
        let path = folder + "/" + Self.fileName
        try self.init(JSONValue(parsing: Files.read(path, limit: 1 << 24), source: path), path: path)
    }

    /// Writes the manifest into a model folder, atomically. Throws `.fileSystem`.
    public func write(folder: String) throws {
        try Files.replace(folder + "/" + Self.fileName, with: json().text(pretty: true) + "\n")
    }

    /// Throws `.invalidCheckpoint` when a file of the folder is not the one that the manifest was written for.
    public func verifyHashes(folder: String) throws(ConcordError) {
        for (name, expected) in hashes.sorted(by: { $0.key < $1.key }) {
            let found = try FileHash(.sha256, ofFile: folder + "/" + name).hexadecimal
            guard found == expected else {
                throw ConcordError(
                    .invalidCheckpoint,
                    "\(folder)/\(name) has the SHA-256 \(found), but \(Self.fileName) was written for \(expected); "
                        + "fetch the model again, or remove the hash if you changed the file on purpose")
            }
        }
    }
}

extension ModelManifest {
    /// Reads the contents of a manifest. Throws `.invalidConfiguration`.
    public init(_ json: JSONValue, path: String) throws(ConcordError) {
        let fields = try JSONFields(json, path: path)
        formatVersion = try fields.integer("format_version", in: 1...Int.max)
        guard formatVersion <= Self.currentFormatVersion else {
            throw fields.failure(
                "format_version",
                "is \(formatVersion), later than the \(Self.currentFormatVersion) that this version reads; update it")
        }
        try fields.refuseUnknown([
            "format_version", "architecture", "quirks", "context_length", "preprocessing", "sha256", "training",
        ])
        architecture = try fields.string("architecture")
        guard architecture == "clip" else {
            throw fields.failure("architecture", "is `\(architecture)`; only `clip` is known")
        }
        contextLength = try fields.integer("context_length", in: 2...Int.max)
        preprocessing = try fields.string("preprocessing")
        guard let quirks = fields["quirks"] else { throw fields.failure("quirks", "is missing") }
        self.quirks = try Quirks(JSONFields(quirks, path: path, prefix: "quirks."))
        hashes = try Self.hashes(JSONFields(fields["sha256"] ?? .object([]), path: path, prefix: "sha256."))
        if let value = fields["training"] {
            training = try Training(JSONFields(value, path: path, prefix: "training."))
        }
    }

    private static func hashes(_ fields: JSONFields) throws(ConcordError) -> [String: String] {
        var hashes = [String: String]()
        for name in fields.names {
            let hash = try fields.string(name)
            guard hash.utf8.count == 64, hash.utf8.allSatisfy(Array("0123456789abcdef".utf8).contains) else {
                throw fields.failure(name, "is not a SHA-256 in lower-case hexadecimal")
            }
            // A name with a slash could lead out of the model's folder.
            guard !name.utf8.contains(0x2F) else { throw fields.failure(name, "is not the plain name of a file") }
            hashes[name] = hash
        }
        return hashes
    }

    /// The contents of the manifest, members in a fixed order.
    public func json() -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("format_version", .integer(formatVersion)),
            .init("architecture", .string(architecture)),
            .init(
                "quirks",
                [
                    "activation": .string(quirks.activation.rawValue),
                    "pooling": .string(quirks.pooling.rawValue),
                    "tokenizer": .string(quirks.tokenizer.rawValue),
                    "crop": .string(quirks.crop.rawValue),
                ]),
            .init("context_length", .integer(contextLength)),
            .init("preprocessing", .string(preprocessing)),
            .init("sha256", .object(hashes.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })),
        ]
        if let training {
            members.append(
                .init(
                    "training",
                    [
                        "recipe": .string(training.recipe),
                        "dataset": .string(training.dataset),
                        "steps": .integer(training.steps),
                        "tool": .string(training.tool),
                        "date": .string(training.date),
                    ]))
        }
        return .object(members)
    }
}

extension ModelManifest.Quirks {
    fileprivate init(_ fields: JSONFields) throws(ConcordError) {
        try fields.refuseUnknown(["activation", "pooling", "tokenizer", "crop"])
        self.init(
            activation: try fields.choice("activation"), pooling: try fields.choice("pooling"),
            tokenizer: try fields.choice("tokenizer"), crop: try fields.choice("crop"))
    }
}

extension ModelManifest.Training {
    fileprivate init(_ fields: JSONFields) throws(ConcordError) {
        try fields.refuseUnknown(["recipe", "dataset", "steps", "tool", "date"])
        self.init(
            recipe: try fields.string("recipe"), dataset: try fields.string("dataset"),
            steps: try fields.integer("steps"), tool: try fields.string("tool"), date: try fields.string("date"))
    }
}
