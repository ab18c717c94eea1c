import ConcordCore

/// Reads any `tokenizer.json` whose parts are known, and refuses one that has another part, by its name and value.
struct TokenizerPipelineReader {
    let document: JSONValue
    let source: String

    func read() throws(ConcordError) -> TokenizerPipeline {
        guard document.members != nil else { throw failure("it should be a JSON object") }
        let model = document["model"] ?? .null
        let normalizers = try readNormalizers(document["normalizer"], "normalizer")
        let preTokenizers = try readPreTokenizers(document["pre_tokenizer"], "pre_tokenizer")
        let modelEntries = try readEntries(model)
        let added = try readAddedTokens(modelEntries)
        let modelNames = Set(modelEntries.map { Array($0.name.utf8) })
        let extra = added.filter { !modelNames.contains(Array($0.name.utf8)) }
        let table = try TokenTable(entries: modelEntries + extra.map { ($0.name, Int($0.id)) }, source: source)
        var vocabulary = table.ids
        for token in extra { vocabulary[Array(token.name.utf8)] = nil }
        return TokenizerPipeline(
            tokens: table.tokens,
            splitter: TextSplitter(addedTokens: added, normalizers: normalizers, preTokenizers: preTokenizers),
            model: try readModel(model, vocabulary, isByteLevel: try isByteLevel(preTokenizers)),
            postProcessor: try readPostProcessor(document["post_processor"], table),
            decoders: try readDecoders(document["decoder"]))
    }

    func failure(_ problem: String) -> ConcordError { ConcordError(.invalidTokenizer, "\(source): \(problem)") }

    /// The error for a member with a value that is not supported.
    func unsupported(_ member: String, _ value: JSONValue?) -> ConcordError {
        let text = value?.text() ?? "missing"
        return failure("\(member) is \(text.utf8.count > 200 ? text.prefix(200) + "…" : text), which is not supported")
    }

    /// The elements of a step's list, with the path of each.
    func elements(
        _ step: JSONValue, _ list: String, _ path: String
    ) throws(ConcordError) -> [(value: JSONValue, path: String)] {
        guard let elements = step[list]?.elements else { throw unsupported("\(path).\(list)", step[list]) }
        return elements.enumerated().map { ($1, "\(path).\(list)[\($0)]") }
    }

    func string(_ step: JSONValue, _ name: String, _ path: String) throws(ConcordError) -> String {
        guard let text = step[name]?.string else { throw unsupported("\(path).\(name)", step[name]) }
        return text
    }

    /// A flag; `otherwise` where it is missing or null.
    func flag(
        _ step: JSONValue, _ name: String, _ path: String, otherwise: Bool
    ) throws(ConcordError) -> Bool {
        guard let value = step[name], !value.isNull else { return otherwise }
        guard let flag = value.bool else { throw unsupported("\(path).\(name)", value) }
        return flag
    }

    /// A member that is one character.
    func scalar(_ step: JSONValue, _ name: String, _ path: String) throws(ConcordError) -> Unicode.Scalar {
        let scalars = try string(step, name, path).unicodeScalars
        guard let first = scalars.first, scalars.count == 1 else { throw unsupported("\(path).\(name)", step[name]) }
        return first
    }

    /// `{"String": …}` or `{"Regex": …}`.
    func pattern(_ step: JSONValue, _ path: String) throws(ConcordError) -> TextPattern {
        let pattern = step["pattern"]
        if let literal = pattern?["String"]?.string, !literal.isEmpty {
            return .literal(Array(literal.unicodeScalars))
        }
        guard let expression = pattern?["Regex"]?.string, let known = TextPattern(regularExpression: expression)
        else { throw unsupported("\(path).pattern", pattern) }
        return known
    }

    private func readEntries(_ model: JSONValue) throws(ConcordError) -> [(name: String, id: Int)] {
        if let members = model["vocab"]?.members {
            return try TokenTable.entries(members, source: source)
        }
        guard let list = model["vocab"]?.elements else {
            throw failure("model.vocab should be an object, or a list of tokens with their scores")
        }
        var entries = [(name: String, id: Int)]()
        entries.reserveCapacity(list.count)
        for (id, entry) in list.enumerated() {
            guard let parts = entry.elements, parts.count == 2, let name = parts[0].string, parts[1].double != nil
            else { throw failure("model.vocab[\(id)] is \(entry.text()), not a token and its score") }
            entries.append((name, id))
        }
        return entries
    }

    /// The added tokens; those that the model has too must have the same id there.
    private func readAddedTokens(
        _ entries: [(name: String, id: Int)]
    ) throws(ConcordError) -> [AddedTokens.Token] {
        guard let list = (document["added_tokens"] ?? []).elements else {
            throw failure("added_tokens should be a list")
        }
        var known = [[UInt8]: Int]()
        for entry in entries { known[Array(entry.name.utf8)] = entry.id }
        var tokens = [AddedTokens.Token]()
        for (index, token) in list.enumerated() {
            let path = "added_tokens[\(index)]"
            guard let name = token["content"]?.string, !name.isEmpty, let id = token["id"]?.int,
                let narrow = Int32(exactly: id)
            else { throw failure("an added token lacks its content or id: \(token.text())") }
            if let other = known[Array(name.utf8)], other != id {
                throw failure("added token \"\(name)\" has id \(id), but \(other) in model.vocab")
            }
            let isSpecial = try flag(token, "special", path, otherwise: false)
            tokens.append(
                AddedTokens.Token(
                    name: name, id: narrow,
                    isSingleWord: try flag(token, "single_word", path, otherwise: false),
                    stripsLeft: try flag(token, "lstrip", path, otherwise: false),
                    stripsRight: try flag(token, "rstrip", path, otherwise: false),
                    isNormalized: try flag(token, "normalized", path, otherwise: !isSpecial), isSpecial: isSpecial))
        }
        return tokens
    }

    /// Whether the model sees bytes; then that must be the last step of splitting.
    private func isByteLevel(_ steps: [PreTokenizer]) throws(ConcordError) -> Bool {
        for (index, step) in steps.enumerated() {
            guard case .byteLevel = step else { continue }
            guard index == steps.count - 1 else {
                throw failure("pre_tokenizer has steps after ByteLevel, which is not supported")
            }
            return true
        }
        return false
    }

    private func readPostProcessor(_ step: JSONValue?, _ table: TokenTable) throws(ConcordError) -> PostProcessor {
        guard let step, !step.isNull else { return PostProcessor() }
        return try postProcessor(step, "post_processor", table)
    }

    private func postProcessor(_ step: JSONValue, _ path: String, _ table: TokenTable) throws(ConcordError)
        -> PostProcessor
    {
        func id(_ value: JSONValue?, _ path: String) throws(ConcordError) -> Int32 {
            guard let id = value?.int, table.tokens.indices.contains(id) else { throw unsupported(path, value) }
            return Int32(id)
        }
        switch step["type"]?.string {
        case "ByteLevel": return PostProcessor()
        case "BertProcessing", "RobertaProcessing":
            return PostProcessor(
                prefix: [try id(step["cls"]?.elements?.last, "\(path).cls")],
                suffix: [try id(step["sep"]?.elements?.last, "\(path).sep")])
        case "TemplateProcessing":
            var postProcessor = PostProcessor()
            var isBehind = false
            for (piece, path) in try elements(step, "single", path) {
                if piece["Sequence"]?["id"] == "A", !isBehind {
                    isBehind = true
                } else if let name = piece["SpecialToken"]?["id"]?.string,
                    let ids = step["special_tokens"]?[name]?["ids"]?.elements
                {
                    for value in ids {
                        let id = try id(value, "the id of \(name)")
                        if isBehind { postProcessor.suffix.append(id) } else { postProcessor.prefix.append(id) }
                    }
                } else {
                    throw unsupported(path, piece)
                }
            }
            guard isBehind else { throw unsupported("\(path).single", step["single"]) }
            return postProcessor
        case "Sequence":
            var whole = PostProcessor()
            for (inner, path) in try elements(step, "processors", path) {
                let postProcessor = try postProcessor(inner, path, table)
                whole = PostProcessor(
                    prefix: postProcessor.prefix + whole.prefix, suffix: whole.suffix + postProcessor.suffix)
            }
            return whole
        default: throw unsupported("\(path).type", step["type"])
        }
    }
}
