import ConcordCore

extension TokenizerPipelineReader {
    /// The normalizer as a list of steps; none for null.
    func readNormalizers(_ step: JSONValue?, _ path: String) throws(ConcordError) -> [TextNormalizer] {
        guard let step, !step.isNull else { return [] }
        switch step["type"]?.string {
        case "Sequence":
            var steps = [TextNormalizer]()
            for (inner, path) in try elements(step, "normalizers", path) { steps += try readNormalizers(inner, path) }
            return steps
        case "BertNormalizer":
            let lowercases = try flag(step, "lowercase", path, otherwise: true)
            return [
                .bert(
                    cleans: try flag(step, "clean_text", path, otherwise: true),
                    separatesIdeographs: try flag(step, "handle_chinese_chars", path, otherwise: true),
                    stripsAccents: try flag(step, "strip_accents", path, otherwise: lowercases),
                    lowercases: lowercases)
            ]
        case "Lowercase": return [.lowercase]
        case "StripAccents": return [.stripAccents]
        case "Strip":
            return [
                .strip(
                    left: try flag(step, "strip_left", path, otherwise: true),
                    right: try flag(step, "strip_right", path, otherwise: true))
            ]
        case "Replace":
            let content = try string(step, "content", path)
            return [.replace(try pattern(step, path), Array(content.unicodeScalars))]
        case "Prepend": return [.prepend(Array(try string(step, "prepend", path).unicodeScalars))]
        case "Nmt": return [.nmt]
        case "Precompiled":
            // Models that SentencePiece trained without a map have an empty one.
            let map = try string(step, "precompiled_charsmap", path)
            return map.isEmpty ? [] : [.precompiled(try PrecompiledCharsmap(base64: map, source: source))]
        case let name?:
            guard let form = Normalization.Form(rawValue: name) else { throw unsupported("\(path).type", step["type"]) }
            return [.form(form)]
        case nil: throw unsupported("\(path).type", step["type"])
        }
    }

    /// The pre-tokenizer as a list of steps; none for null.
    func readPreTokenizers(_ step: JSONValue?, _ path: String) throws(ConcordError) -> [PreTokenizer] {
        guard let step, !step.isNull else { return [] }
        switch step["type"]?.string {
        case "Sequence":
            var steps = [PreTokenizer]()
            for (inner, path) in try elements(step, "pretokenizers", path) {
                steps += try readPreTokenizers(inner, path)
            }
            return steps
        case "BertPreTokenizer": return [.bert]
        case "Whitespace": return [.whitespace]
        case "WhitespaceSplit": return [.whitespaceSplit]
        case "ByteLevel":
            return [
                .byteLevel(
                    addsPrefixSpace: try flag(step, "add_prefix_space", path, otherwise: true),
                    splitsWords: try flag(step, "use_regex", path, otherwise: true))
            ]
        case "Metaspace":
            return [
                .metaspace(
                    try scalar(step, "replacement", path), try prependScheme(step, path),
                    splits: try flag(step, "split", path, otherwise: true))
            ]
        case "Punctuation": return [.punctuation(try behavior(step, path, otherwise: .isolated))]
        case "Digits": return [.digits(individually: try flag(step, "individual_digits", path, otherwise: false))]
        case "Split":
            return [
                .split(
                    try pattern(step, path), try behavior(step, path, otherwise: nil),
                    inverted: try flag(step, "invert", path, otherwise: false))
            ]
        default: throw unsupported("\(path).type", step["type"])
        }
    }

    /// The decoder as a list of steps; nil for null.
    func readDecoders(_ step: JSONValue?) throws(ConcordError) -> [TokenDecoder]? {
        guard let step, !step.isNull else { return nil }
        return try decoders(step, "decoder")
    }

    private func decoders(_ step: JSONValue, _ path: String) throws(ConcordError) -> [TokenDecoder] {
        func count(_ name: String) throws(ConcordError) -> Int {
            guard let count = step[name]?.int, count >= 0 else { throw unsupported("\(path).\(name)", step[name]) }
            return count
        }
        switch step["type"]?.string {
        case "Sequence":
            var steps = [TokenDecoder]()
            for (inner, path) in try elements(step, "decoders", path) { steps += try decoders(inner, path) }
            return steps
        case "WordPiece":
            return [
                .wordPiece(
                    prefix: try string(step, "prefix", path),
                    cleansUp: try flag(step, "cleanup", path, otherwise: true))
            ]
        case "ByteLevel": return [.byteLevel]
        case "Metaspace":
            return [.metaspace(try scalar(step, "replacement", path), try prependScheme(step, path))]
        case "Replace":
            let content = try string(step, "content", path)
            return [.replace(try pattern(step, path), Array(content.unicodeScalars))]
        case "ByteFallback": return [.byteFallback]
        case "Fuse": return [.fuse]
        case "Strip":
            return [.strip(try scalar(step, "content", path), start: try count("start"), stop: try count("stop"))]
        case "BPEDecoder": return [.wordEnd(suffix: try string(step, "suffix", path))]
        default: throw unsupported("\(path).type", step["type"])
        }
    }

    private func behavior(
        _ step: JSONValue, _ path: String, otherwise: SplitBehavior?
    ) throws(ConcordError) -> SplitBehavior {
        guard let behavior = step["behavior"]?.string.flatMap(SplitBehavior.init) ?? otherwise else {
            throw unsupported("\(path).behavior", step["behavior"])
        }
        return behavior
    }

    /// `prepend_scheme`, or `add_prefix_space` of older files.
    private func prependScheme(_ step: JSONValue, _ path: String) throws(ConcordError) -> PreTokenizer.PrependScheme {
        let addsSpace = try flag(step, "add_prefix_space", path, otherwise: true)
        guard let value = step["prepend_scheme"], !value.isNull else { return addsSpace ? .always : .never }
        guard let scheme = value.string.flatMap(PreTokenizer.PrependScheme.init), addsSpace || scheme == .never else {
            throw unsupported("\(path).prepend_scheme", value)
        }
        return scheme
    }
}
