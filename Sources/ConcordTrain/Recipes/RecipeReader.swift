import ConcordCore
import ConcordData

/// Reads typed values from a recipe and remembers every key it was asked for, so that the rest can be refused.
///
/// Keys are dotted paths (`train.batch_size`). Each is read in one place, with its default, its range and the line of
/// documentation that `concord train --keys` prints.
struct RecipeReader {
    /// One key a recipe may have.
    struct Key {
        let path: String
        let defaultValue: String
        let summary: String
    }

    private enum Value {
        case scalar(String)
        case list([String])
    }

    private var values: [String: Value] = [:]
    private var mapFamilies: Set<String> = []
    private let source: String
    private(set) var keys: [Key] = []

    /// Parses YAML text; `source` names it in errors. Throws `.invalidConfiguration`.
    init(yaml: String, source: String) throws(ConcordError) {
        self.source = source
        guard let root = try YAMLNode.read(yaml, source: source), root != .scalar("") else { return }
        try flatten(root, path: "")
    }

    private mutating func flatten(_ node: YAMLNode, path: String) throws(ConcordError) {
        switch node {
        case .mapping(let members):
            for member in members {
                try flatten(member.value, path: path.isEmpty ? member.key : "\(path).\(member.key)")
            }
        case .sequence(let sequence):
            let items = sequence.compactMap(\.text)
            guard items.count == sequence.count else {
                throw ConcordError(.invalidConfiguration, "\(source): \(path) must be a list of plain values")
            }
            values[path] = .list(items)
        case .scalar(let text):
            guard !path.isEmpty else {
                throw ConcordError(
                    .invalidConfiguration, "\(source) must be a mapping of keys, not the text \"\(text)\"")
            }
            values[path] = .scalar(text)
        }
    }

    /// Replaces one value by a command line assignment `path=value`; lists are written `[a, b]`.
    mutating func assign(_ assignment: String) throws(ConcordError) {
        guard let equals = assignment.firstIndex(of: "="), equals != assignment.startIndex else {
            throw ConcordError(
                .invalidConfiguration, "--set \(assignment): write it as key=value, for example train.epochs=5")
        }
        let path = String(assignment[..<equals]), text = String(assignment[assignment.index(after: equals)...])
        values = values.filter { $0.key != path && !$0.key.hasPrefix(path + ".") }
        let value = try YAMLNode.read(text, source: "--set \(assignment): the value")
        try flatten(value ?? .scalar(""), path: path)
    }

    /// All values that were given, as YAML that reads back as the same recipe: one dotted key a line, in order.
    var effectiveText: String {
        values.sorted { $0.key < $1.key }.map { key, value in
            switch value {
            case .scalar(let text): "\(key): \(Self.quoted(text))\n"
            case .list(let items): "\(key): [\(items.map(Self.quoted).joined(separator: ", "))]\n"
            }
        }.joined()
    }

    /// A value as YAML reads it back.
    static func quoted(_ text: String) -> String {
        let isPlain =
            !text.isEmpty
            && text.utf8.allSatisfy { byte in
                byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "/")
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
            }
        return isPlain ? text : JSONValue.string(text).text()
    }

    /// Whether the recipe has a value for the key.
    func isGiven(_ path: String) -> Bool {
        switch values[path] {
        case .scalar(let text)?: !text.isEmpty
        case .list?: true
        case nil: false
        }
    }

    /// The error for values that are right each by itself, but not together.
    func contradiction(_ problem: String) -> ConcordError {
        ConcordError(.invalidConfiguration, "\(source): \(problem)")
    }

    // MARK: Typed values

    mutating func text(_ path: String, _ defaultValue: String, _ summary: String) throws -> String {
        try scalar(path, defaultValue, summary, expecting: "one value") { $0 }
    }

    mutating func optionalText(_ path: String, _ summary: String) throws -> String? {
        let value = try text(path, "", summary)
        return value.isEmpty ? nil : value
    }

    /// The byte between the columns of a table, or nil where the recipe has none.
    mutating func separator(_ path: String, _ summary: String) throws -> UInt8? {
        let text = try scalar(path, "", summary, expecting: "one character such as , ; or |, or the word tab") { text in
            text.isEmpty || (try? CaptionFileOptions.separator(text)) != nil ? text : nil
        }
        return try text.isEmpty ? nil : CaptionFileOptions.separator(text)
    }

    mutating func flag(_ path: String, _ defaultValue: Bool, _ summary: String) throws -> Bool {
        try scalar(path, defaultValue, summary, expecting: "true or false") {
            ["true": true, "false": false][$0.lowercased()]
        }
    }

    mutating func integer(
        _ path: String, _ defaultValue: Int, in range: ClosedRange<Int>, _ summary: String
    ) throws -> Int {
        try scalar(path, defaultValue, summary, expecting: "a whole number in \(Self.text(range))") {
            Int($0).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    mutating func number(
        _ path: String, _ defaultValue: Double, in range: ClosedRange<Double>, _ summary: String
    ) throws -> Double {
        try scalar(path, defaultValue, summary, expecting: "a number in \(Self.text(range))") {
            Double($0).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// A number, or nil where the recipe has none.
    mutating func optionalNumber(
        _ path: String, in range: ClosedRange<Double>, _ summary: String
    ) throws -> Double? {
        try numberOr(path, "", in: range, summary, expecting: "a number in \(Self.text(range))")
    }

    /// A number, or nil for a word, which is the default.
    mutating func number(
        _ path: String, or word: String, in range: ClosedRange<Double>, _ summary: String
    ) throws -> Double? {
        try numberOr(path, word, in: range, summary, expecting: "\(word) or a number in \(Self.text(range))")
    }

    /// A whole number, or nil for a word, which is the default.
    mutating func integer(
        _ path: String, or word: String, in range: ClosedRange<Int>, _ summary: String
    ) throws -> Int? {
        try Int(
            scalar(path, word, summary, expecting: "\(word) or a whole number in \(Self.text(range))") { text in
                text == word || Int(text).map(range.contains) == true ? text : nil
            })
    }

    private mutating func numberOr(
        _ path: String, _ word: String, in range: ClosedRange<Double>, _ summary: String, expecting: String
    ) throws -> Double? {
        try Double(
            scalar(path, word, summary, expecting: expecting) { text in
                text == word || Double(text).map(range.contains) == true ? text : nil
            })
    }

    /// Whole numbers.
    mutating func integers(
        _ path: String, _ defaultValue: [Int], in range: ClosedRange<Int>, _ summary: String
    ) throws -> [Int] {
        try list(path, defaultValue.map(String.init), summary).map { item in
            guard let number = Int(item), range.contains(number) else {
                throw wrong(path, item, expecting: "a list of whole numbers in \(Self.text(range))")
            }
            return number
        }
    }

    mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ path: String, _ defaultValue: Choice, _ summary: String
    ) throws -> Choice where Choice.RawValue == String {
        let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        return try scalar(path, defaultValue.rawValue, summary, expecting: "one of \(names)") {
            Choice(rawValue: $0)?.rawValue
        }.asChoice(or: defaultValue)
    }

    /// One of several values that have names.
    mutating func choice<Value>(
        _ path: String, _ defaultName: String, among values: KeyValuePairs<String, Value>, _ summary: String
    ) throws -> Value {
        let expected = "one of " + values.map(\.key).joined(separator: ", ")
        let name = try scalar(path, defaultName, summary, expecting: expected) { $0 }
        guard let value = values.first(where: { $0.key == name })?.value else {
            throw wrong(path, name, expecting: expected)
        }
        return value
    }

    mutating func freezeDepth(_ path: String, _ summary: String) throws -> FreezeDepth {
        try scalar(path, FreezeDepth.none, summary, expecting: "none, all or a number of blocks", FreezeDepth.init)
    }

    mutating func list(_ path: String, _ defaultValue: [String], _ summary: String) throws -> [String] {
        keys.append(Key(path: path, defaultValue: "[\(defaultValue.joined(separator: ", "))]", summary: summary))
        switch values[path] {
        case nil: return defaultValue
        case .list(let items): return items
        case .scalar(let item): return item.isEmpty ? [] : [item]
        }
    }

    mutating func choices<Choice: RawRepresentable & CaseIterable>(
        _ path: String, _ defaultValue: [Choice], _ summary: String
    ) throws -> [Choice] where Choice.RawValue == String {
        try list(path, defaultValue.map(\.rawValue), summary).map { item in
            guard let choice = Choice(rawValue: item) else {
                let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
                throw wrong(path, item, expecting: "a list of some of \(names)")
            }
            return choice
        }
    }

    /// Two numbers, the second not below the first.
    mutating func interval(
        _ path: String, _ defaultValue: ClosedRange<Double>, in range: ClosedRange<Double>, _ summary: String
    ) throws -> ClosedRange<Double> {
        let items = try list(path, ["\(defaultValue.lowerBound)", "\(defaultValue.upperBound)"], summary)
        let numbers = items.compactMap(Double.init)
        guard items.count == 2, numbers.count == 2, numbers[0] <= numbers[1], range.contains(numbers[0]),
            range.contains(numbers[1])
        else { throw wrong(path, items.joined(separator: ", "), expecting: "[low, high] within \(Self.text(range))") }
        return numbers[0]...numbers[1]
    }

    /// A mapping from free names to non-negative numbers.
    mutating func weights(_ path: String, _ defaultValue: [String: Double], _ summary: String) throws -> [String:
        Double]
    {
        let shown = defaultValue.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
        keys.append(Key(path: path, defaultValue: "{\(shown)}", summary: summary))
        mapFamilies.insert(path + ".")
        switch values[path] {
        case .list(let items)?: throw wrong(path, items.joined(separator: ", "), expecting: "names with numbers")
        case .scalar(let text)? where !text.isEmpty: throw wrong(path, text, expecting: "names with numbers")
        default: break
        }
        let given = values.filter { $0.key.hasPrefix(path + ".") }
        guard !given.isEmpty else { return defaultValue }
        var weights = [String: Double]()
        for (key, value) in given {
            guard case .scalar(let text) = value, let number = Double(text), number >= 0, number.isFinite else {
                throw wrong(key, "\(value)", expecting: "a number of at least 0")
            }
            weights[String(key.dropFirst(path.count + 1))] = number
        }
        return weights
    }

    /// Throws `.invalidConfiguration` naming every key that nothing asked for, each with the nearest known one.
    func refuseUnknownKeys() throws(ConcordError) {
        let known = Set(keys.map(\.path))
        let unknown = values.keys.filter { key in
            !known.contains(key) && !mapFamilies.contains { key.hasPrefix($0) }
        }.sorted()
        guard !unknown.isEmpty else { return }
        let lines = unknown.map { key in
            let nearest = RecipeKeyNames.suggestion(for: key, among: known)
            return "unknown key \"\(key)\"" + (nearest.map { "; did you mean \"\($0)\"?" } ?? "")
        }
        throw ConcordError(
            .invalidConfiguration,
            "\(source): " + lines.joined(separator: "\n") + "\n`concord train --keys` lists every key")
    }

    private mutating func scalar<Value>(
        _ path: String, _ defaultValue: Value, _ summary: String, expecting: String, _ parse: (String) -> Value?
    ) throws -> Value {
        keys.append(Key(path: path, defaultValue: "\(defaultValue)", summary: summary))
        switch values[path] {
        case nil: return defaultValue
        case .list(let items): throw wrong(path, "[\(items.joined(separator: ", "))]", expecting: expecting)
        case .scalar(let text):
            guard let value = parse(text) else { throw wrong(path, text, expecting: expecting) }
            return value
        }
    }

    private func wrong(_ path: String, _ text: String, expecting: String) -> ConcordError {
        ConcordError(.invalidConfiguration, "\(source): \(path) is \"\(text)\"; it must be \(expecting)")
    }

    private static func text<Bound>(_ range: ClosedRange<Bound>) -> String { "\(range.lowerBound)…\(range.upperBound)" }
}

extension String {
    fileprivate func asChoice<Choice: RawRepresentable>(or other: Choice) -> Choice where Choice.RawValue == String {
        Choice(rawValue: self) ?? other
    }
}

/// Finds the key that an unknown one may have meant.
enum RecipeKeyNames {
    /// Other programs' names of a key, by the last part of its path: open_clip's and transformers' options, and common
    /// short forms. Initials (`lr` for `learning_rate`) need no entry.
    static let aliases: [String: String] = [
        "accelerator": "train.device", "adam_beta1": "train.beta1", "adam_beta2": "train.beta2",
        "adam_epsilon": "train.epsilon", "amp": "train.precision", "batch": "train.batch_size", "betas": "train.beta1",
        "bf16": "train.precision", "caption_key": "data.caption_columns", "captions": "data.caption_columns",
        "clip_grad": "train.gradient_clip", "context": "model.text.context_length",
        "csv_caption_key": "data.caption_columns",
        "csv_img_key": "data.image_column", "csv_separator": "data.separator", "data_dir": "data.folder",
        "dataloader_num_workers": "data.workers", "dataset": "data.folder", "delimiter": "data.separator",
        "dtype": "train.precision", "embed_dim": "model.projection_width", "eps": "train.epsilon",
        "fp16": "train.precision",
        "gpu": "train.device", "grad_checkpointing": "train.activation_checkpointing",
        "grad_clip": "train.gradient_clip",
        "grad_clip_norm": "train.gradient_clip", "gradient_checkpointing": "train.activation_checkpointing",
        "image_key": "data.image_column", "img_key": "data.image_column", "language": "data.languages",
        "logging_steps": "train.log_every", "lr_scheduler": "train.schedule", "lr_scheduler_type": "train.schedule",
        "max_grad_norm": "train.gradient_clip", "max_length": "model.text.context_length", "n_epochs": "train.epochs",
        "num_epochs": "train.epochs", "num_threads": "train.threads", "num_train_epochs": "train.epochs",
        "num_workers": "data.workers", "path": "data.folder", "per_device_train_batch_size": "train.batch_size",
        "pretrained": "model.start", "resolution": "model.image_size", "root": "data.folder",
        "save_steps": "train.checkpoint_every", "save_total_limit": "train.checkpoints_kept", "sep": "data.separator",
        "vocab_size": "tokenizer.vocabulary_size", "warmup": "train.warmup_steps",
    ]

    /// The known key that is most likely meant; nil where none is near.
    static func suggestion(for key: String, among known: Set<String>) -> String? {
        let parts = key.split(separator: "."), name = String(parts.last ?? "")
        let section = parts.count > 1 ? String(parts[0]) : nil
        /// The best of several keys that share a name: that of the same section first.
        func best(_ keys: [String]) -> String? {
            keys.min { a, b in
                let (inA, inB) = (a.hasPrefix((section ?? "") + "."), b.hasPrefix((section ?? "") + "."))
                return inA == inB ? a < b : inA
            }
        }
        func last(_ key: String) -> Substring {
            key[(key.lastIndex(of: ".").map(key.index(after:)) ?? key.startIndex)...]
        }
        func initials(_ key: String) -> String { String(last(key).split(separator: "_").compactMap(\.first)) }
        let plain = name.lowercased().map { $0 == "-" ? "_" : $0 }
        if let same = best(known.filter { last($0).elementsEqual(plain) }) { return same }
        if let alias = aliases[String(plain)], known.contains(alias) { return alias }
        // A letter alone says too little.
        if name.count > 1, let short = best(known.filter { initials($0) == name }) { return short }
        return NearestName.suggestion(for: key, among: known)
            ?? best(known.filter { NearestName.suggestion(for: name, among: [String(last($0))]) != nil })
    }
}
