import ConcordCore

/// How a model fuses modalities: early, late and between are places on one dial, ``at``.
///
/// ```yaml
/// fusion:
///   modalities: [image, text, audio]
///   at: 3
///   exchange: {kind: bottleneck, tokens: 4}
///   combine: gated
///   missing: skip
///   dropout: {image: 0.2, audio: 0.3}
/// ```
public struct FusionConfiguration: Sendable, Hashable {
    /// What modalities see of each other in the layers above ``FusionConfiguration/at``.
    public enum Exchange: Sendable, Hashable {
        /// One stack of blocks for the tokens of all modalities, each marked by a vector of its modality (ViLT, Kim et al.
        /// 2021).
        case full
        /// A stack for each modality; shared tokens are the only way between them, and their updates are averaged (MBT,
        /// Nagrani et al. 2021).
        case bottleneck(tokens: Int)
        /// A stack for each modality, whose tokens attend to those of all others before each block (Tsai et al. 2019).
        case cross
        /// A stack for each modality; learned latents attend to the tokens of all, and all tokens to the latents
        /// (Perceiver, Jaegle et al. 2021, with a way back).
        case latents(count: Int)
    }

    /// The map from the vectors of the modalities that a row has to its one vector.
    public enum Combination: Sendable, Hashable {
        case mean
        /// A matrix for each modality; the sum is scaled by all modalities over those present.
        case concat
        /// For each channel a softmax over the modalities, of logits that see all vectors: the gated multimodal unit
        /// (Arevalo et al. 2017) for any number of modalities.
        case gated
        /// A softmax over the modalities, of one logit for each vector.
        case attention
        /// Tensor fusion through factors of a rank (Liu et al. 2018); an absent modality leaves the 1 that is appended to
        /// its vector.
        case lowRank(rank: Int)
    }

    /// What stands for a modality that a row does not have.
    public enum Missing: Sendable, Hashable {
        /// Nothing: no token, no part in the combination.
        case skip
        /// One learned token of each modality.
        case token
        /// Learned tokens for each set of present modalities, which all tokens see (Lee et al. 2023).
        case prompt(tokens: Int)
    }

    /// In order of their names: the order in which they are given has no meaning.
    public let modalities: [Modality]
    /// The number of layers in which modalities do not see each other: 0 is early fusion, all layers late fusion.
    public var at: Int
    public var exchange: Exchange
    public var combine: Combination
    public var missing: Missing
    /// The share of rows from which training takes a modality; the last one of a row stays.
    public var dropout: [Modality: Double]

    public init(
        modalities: [Modality] = [.audio, .image, .text], at: Int, exchange: Exchange = .full,
        combine: Combination = .mean, missing: Missing = .skip, dropout: [Modality: Double] = [:]
    ) {
        self.modalities = modalities.sorted()
        self.at = at
        self.exchange = exchange
        self.combine = combine
        self.missing = missing
        self.dropout = dropout
    }

    /// The most modalities: every set of them may need parameters of its own.
    static let mostModalities = 8
    private static let mostTokens = 4096

    /// - Parameter layers: of every modality, those with exchange included.
    /// - Throws: `.invalidConfiguration`, naming the member.
    package func validate(layers: Int, path: String) throws(ConcordError) {
        let check = ConfigurationCheck(path: path)
        func count(_ name: String, _ value: Int) throws(ConcordError) {
            try check.require((1...Self.mostTokens).contains(value), "`\(name)` is \(value), not within 1...4096")
        }
        try check.require(
            (1...Self.mostModalities).contains(modalities.count),
            "`fusion.modalities` names \(modalities.count) modalities, not 1 to \(Self.mostModalities)")
        for (one, next) in zip(modalities, modalities.dropFirst()) {
            try check.require(one != next, "`fusion.modalities` names \(one) twice")
        }
        for modality in modalities {
            try check.require(
                modality.isPlainName,
                "`fusion.modalities` has \"\(modality)\"; a name has small letters, digits and underscores, and is none "
                    + "of \(Modality.fused) and \(Modality.target)")
        }
        try check.require(
            (0...layers).contains(at), "`fusion.at` is \(at); with \(layers) layers it is within 0...\(layers)")
        switch exchange {
        // Without any, nothing passes: late fusion under another name.
        case .bottleneck(let tokens):
            try check.require(
                (0...Self.mostTokens).contains(tokens), "`fusion.exchange.tokens` is \(tokens), not within 0...4096")
        case .latents(let latents): try count("fusion.exchange.count", latents)
        case .full, .cross: break
        }
        if case .lowRank(let rank) = combine { try count("fusion.combine.rank", rank) }
        if case .prompt(let tokens) = missing {
            try count("fusion.missing.tokens", tokens)
            try check.require(
                at < layers,
                "`fusion.missing` is a prompt, but with `fusion.at` \(at) no layer is left to read it; lower `at`, or "
                    + "use `skip` or `token`")
        }
        for (modality, rate) in dropout.sorted(by: { $0.key < $1.key }) {
            try check.require(
                modalities.contains(modality),
                "`fusion.dropout` has \(modality), which is none of \(modalities.map(\.name).joined(separator: ", "))")
            try check.require(
                rate >= 0 && rate < 1, "`fusion.dropout.\(modality)` is \(rate), not within 0..<1")
        }
    }
}

// MARK: - Fields

extension FusionConfiguration {
    /// The fields of a recipe or of a model folder's `config.json`.
    package var json: JSONValue {
        func kind(_ word: String, _ name: String, _ number: Int) -> JSONValue {
            .object([.init("kind", .string(word)), .init(name, .integer(number))])
        }
        let exchangeJSON: JSONValue =
            switch exchange {
            case .full: "full"
            case .bottleneck(let tokens): kind("bottleneck", "tokens", tokens)
            case .cross: "cross"
            case .latents(let count): kind("latents", "count", count)
            }
        let combineJSON: JSONValue =
            switch combine {
            case .mean: "mean"
            case .concat: "concat"
            case .gated: "gated"
            case .attention: "attention"
            case .lowRank(let rank): kind("lowrank", "rank", rank)
            }
        let missingJSON: JSONValue =
            switch missing {
            case .skip: "skip"
            case .token: "token"
            case .prompt(let tokens): kind("prompt", "tokens", tokens)
            }
        let rates = dropout.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key.name, .number($0.value)) }
        return [
            "modalities": .array(modalities.map { .string($0.name) }), "at": .integer(at), "exchange": exchangeJSON,
            "combine": combineJSON, "missing": missingJSON, "dropout": .object(rates),
        ]
    }

    /// Reads what ``json`` writes. A word alone, such as `exchange: cross`, is the kind without numbers; a bottleneck has
    /// 4 tokens, latents are 16, and a prompt has 16 tokens unless they say otherwise.
    ///
    /// - Throws: `.invalidConfiguration`, naming the member; values that do not fit each other are for `validate`.
    package init(_ fields: JSONFields) throws(ConcordError) {
        try fields.refuseUnknown(["modalities", "at", "exchange", "combine", "missing", "dropout"])
        let names = try fields.words("modalities")
        let exchange = try fields.kind("exchange", default: "full")
        let combine = try fields.kind("combine", default: "mean")
        let missing = try fields.kind("missing", default: "skip")
        let rates = try fields.object("dropout")
        var dropout = [Modality: Double]()
        for name in rates.names { dropout[Modality(name)] = try rates.number(name) }
        self.init(
            modalities: names.map { Modality($0) }, at: try fields.integer("at"),
            exchange: try Exchange(exchange), combine: try Combination(combine), missing: try Missing(missing),
            dropout: dropout)
    }
}

/// A choice that may have a number: a word, or an object with the word as `kind`.
private struct KindFields {
    let fields: JSONFields
    let name: String
    let word: String

    /// The number of a kind that has one.
    func number(_ member: String, default standard: Int? = nil) throws(ConcordError) -> Int {
        try fields.refuseUnknown(["kind", member])
        return try fields.integer(member, default: standard)
    }

    func refuseNumbers() throws(ConcordError) { try fields.refuseUnknown(["kind"]) }

    func unknown(_ known: [String]) -> ConcordError {
        ConcordError(.unknownChoice(word, known: known), at: FieldPlace(name, prefix: outerPrefix, in: fields.path))
    }

    private var outerPrefix: String { String(fields.prefix.dropLast(name.utf8.count + 1)) }
}

extension JSONFields {
    fileprivate func kind(_ name: String, default standard: String) throws(ConcordError) -> KindFields {
        if let word = self[name]?.string {
            return KindFields(
                fields: try JSONFields(.object([]), path: path, prefix: prefix + name + "."), name: name, word: word)
        }
        guard self[name] != nil else {
            return KindFields(
                fields: try JSONFields(.object([]), path: path, prefix: prefix + name + "."), name: name,
                word: standard)
        }
        let fields = try object(name)
        return KindFields(fields: fields, name: name, word: try fields.string("kind"))
    }

    fileprivate func words(_ name: String) throws(ConcordError) -> [String] {
        guard let value = self[name] else { throw failure(name, .missing) }
        let words = value.elements?.compactMap(\.string) ?? []
        guard !words.isEmpty, words.count == value.elements?.count else {
            throw failure(name, .wrong(expected: "a list of names", found: value))
        }
        return words
    }
}

extension FusionConfiguration.Exchange {
    fileprivate init(_ kind: KindFields) throws(ConcordError) {
        switch kind.word {
        case "full": self = .full
        case "bottleneck": self = .bottleneck(tokens: try kind.number("tokens", default: 4))
        case "cross": self = .cross
        case "latents": self = .latents(count: try kind.number("count", default: 16))
        default: throw kind.unknown(["full", "bottleneck", "cross", "latents"])
        }
        if self == .full || self == .cross { try kind.refuseNumbers() }
    }
}

extension FusionConfiguration.Combination {
    fileprivate init(_ kind: KindFields) throws(ConcordError) {
        switch kind.word {
        case "mean": self = .mean
        case "concat": self = .concat
        case "gated": self = .gated
        case "attention": self = .attention
        case "lowrank":
            self = .lowRank(rank: try kind.number("rank"))
            return
        default: throw kind.unknown(["mean", "concat", "gated", "attention", "lowrank"])
        }
        try kind.refuseNumbers()
    }
}

extension FusionConfiguration.Missing {
    fileprivate init(_ kind: KindFields) throws(ConcordError) {
        switch kind.word {
        case "skip": self = .skip
        case "token": self = .token
        case "prompt":
            self = .prompt(tokens: try kind.number("tokens", default: 16))
            return
        default: throw kind.unknown(["skip", "token", "prompt"])
        }
        try kind.refuseNumbers()
    }
}
