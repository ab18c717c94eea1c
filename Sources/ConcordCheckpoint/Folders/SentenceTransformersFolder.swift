import ConcordCore

/// A model folder of sentence-transformers: `modules.json` and what it names.
///
/// Follows the modules `Transformer`, `Pooling` and `Normalize` of sentence-transformers 2 to 6.
struct SentenceTransformersFolder {
    static let fileName = "modules.json"

    let configuration: BERTConfiguration
    /// The folder of the tower's `config.json`, weights and tokenizer.
    let towerFolder: String
    /// Whether texts are lowercased before the tokenizer.
    let lowercases: Bool

    /// - Throws: `.invalidConfiguration` for modules that are not supported.
    init(_ folder: String) throws(ConcordError) {
        let path = folder + "/" + Self.fileName
        var kinds = [String](), folders = [String]()
        for element in try Self.read(path).elements ?? [.null] {
            let fields = try JSONFields(element, path: path)
            // `sentence_transformers.models.Pooling`; the modules' own path differs between versions.
            kinds.append(try fields.string("type").split(separator: ".").last.map(String.init) ?? "")
            let name = try fields.string("path", default: "")
            guard !name.hasPrefix("/"), !name.split(separator: "/").contains("..") else {
                throw fields.failure("path", "is `\(name)`, which leads out of the folder")
            }
            folders.append(name.isEmpty ? folder : folder + "/" + name)
        }
        guard kinds.count >= 2, kinds[0] == "Transformer", kinds[1] == "Pooling",
            kinds.count == 2 || kinds[2...] == ["Normalize"]
        else {
            throw ConcordError(
                .invalidConfiguration,
                "\(path) lists the modules \(kinds.joined(separator: ", ")); supported are Transformer, Pooling and "
                    + "Normalize, in this order")
        }
        towerFolder = folders[0]
        let configPath = towerFolder + "/config.json"
        var configuration = try BERTConfiguration(huggingFace: Self.read(configPath), path: configPath)
        configuration.pooling = try Self.pooling(folders[1] + "/config.json")
        let options = try Self.options(towerFolder)
        if let length = options["max_seq_length"]?.int {
            // A length beyond the table is what the table allows.
            configuration.contextLength = min(length, configuration.longestText)
        }
        lowercases = options["do_lower_case"]?.bool ?? false
        self.configuration = configuration
        try ConfigurationCheck(path: path).validate(configuration, prefix: "")
        try Self.refusePrompt(folder)
    }

    private static func read(_ path: String) throws(ConcordError) -> JSONValue {
        try JSONValue(contentsOf: path, nonFiniteNumbers: true)
    }

    /// `sentence_bert_config.json`, which older versions name after the tower's family.
    private static func options(_ folder: String) throws(ConcordError) -> JSONValue {
        let names = ["bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"]
        for path in names.map({ folder + "/sentence_\($0)_config.json" }) where Files.exists(path) {
            return try read(path)
        }
        return .object([])
    }

    /// One of several modes that are joined; version 6 names it, older ones have a flag for each.
    private static func pooling(_ path: String) throws(ConcordError) -> BERTConfiguration.Pooling {
        let fields = try JSONFields(read(path), path: path)
        var modes =
            fields["pooling_mode"]?.string.map { [$0] } ?? fields["pooling_mode"]?.elements?.compactMap(\.string)
        if modes == nil {
            let flags: KeyValuePairs = [
                "pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max", "pooling_mode_mean_tokens": "mean",
                "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
                "pooling_mode_weightedmean_tokens": "weightedmean", "pooling_mode_lasttoken": "lasttoken",
            ]
            var set = [String]()
            for (flag, mode) in flags where try fields.boolean(flag, default: false) { set.append(mode) }
            modes = set.isEmpty ? ["mean"] : set
        }
        switch modes ?? [] {
        case ["mean"]: return .mean
        // A mean but for the length, which unit vectors do not keep.
        case ["mean_sqrt_len_tokens"]: return .mean
        case ["cls"]: return .cls
        case ["max"]: return .max
        case let other:
            throw fields.failure(
                "pooling_mode", "is \(other.joined(separator: " + ")); supported are: mean, cls, max, one at a time")
        }
    }

    /// A prompt before every text changes its vector; nothing here would put it there.
    private static func refusePrompt(_ folder: String) throws(ConcordError) {
        let path = folder + "/config_sentence_transformers.json"
        guard Files.exists(path) else { return }
        try JSONFields(read(path), path: path)
            .refuse("default_prompt_name", "a prompt before every text is not supported; put it before your texts")
    }
}
