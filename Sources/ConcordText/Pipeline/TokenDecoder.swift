/// One step that turns tokens back into text, as `decoder` of `tokenizer.json` lists them.
enum TokenDecoder: Sendable {
    case wordPiece(prefix: String, cleansUp: Bool)
    case byteLevel
    case metaspace(Unicode.Scalar, PreTokenizer.PrependScheme)
    case replace(TextPattern, [Unicode.Scalar])
    case byteFallback
    case fuse
    /// Drops at most `start` and `stop` characters of one kind from the ends of each token.
    case strip(Unicode.Scalar, start: Int, stop: Int)
    case wordEnd(suffix: String)
    /// As transformers' class decodes CLIP's tokens: bytes, with a space for each `</w>` but those at the end.
    case clip

    func apply(to tokens: [String]) -> [String] {
        switch self {
        case .wordPiece(let prefix, let cleansUp):
            return tokens.enumerated().map { index, token in
                let isContinued = token.utf8.starts(with: prefix.utf8)
                let text = index == 0 ? token : isContinued ? Self.dropping(prefix, from: token) : " " + token
                return cleansUp ? Self.cleaned(text) : text
            }
        case .byteLevel: return [Self.decodingBytes(of: tokens)]
        case .metaspace(let mark, let scheme):
            return tokens.enumerated().map { index, token in
                let isSilent = index == 0 && scheme != .never
                return Self.text(token.unicodeScalars.compactMap { $0 != mark ? $0 : isSilent ? nil : " " })
            }
        case .replace(let pattern, let content): return tokens.map { Self.replacing(pattern, content, in: $0) }
        case .byteFallback: return Self.joiningBytes(of: tokens)
        case .fuse: return [tokens.joined()]
        case .strip(let scalar, let start, let stop):
            return tokens.map { token in
                var scalars = Array(token.unicodeScalars)[...]
                let leading = scalars.prefix(start).prefix { $0 == scalar }.count
                let trailing = scalars.suffix(stop).reversed().prefix { $0 == scalar }.count
                scalars = scalars.dropFirst(leading)
                return Self.text(scalars.dropLast(min(trailing, scalars.count)))
            }
        case .wordEnd(let suffix):
            let pattern = TextPattern.literal(Array(suffix.unicodeScalars))
            return tokens.enumerated().map { index, token in
                Self.replacing(pattern, index == tokens.count - 1 ? [] : [" "], in: token)
            }
        case .clip:
            var bytes = [UInt8]()
            for content in tokens.compactMap(ByteSymbols.content(of:)) {
                bytes += content.bytes
                if content.endsWord { bytes.append(UInt8(ascii: " ")) }
            }
            return [Self.text(PythonText.stripping(String(decoding: bytes, as: UTF8.self).unicodeScalars))]
        }
    }

    private static func text(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        String(String.UnicodeScalarView(scalars))
    }

    private static func dropping(_ prefix: String, from token: String) -> String {
        text(token.unicodeScalars.dropFirst(prefix.unicodeScalars.count))
    }

    private static func replacing(_ pattern: TextPattern, _ content: [Unicode.Scalar], in token: String) -> String {
        var text = NormalizedText(scalars: Array(token.unicodeScalars), originCount: 0)
        text.replace(pattern, with: content)
        return Self.text(text.scalars)
    }

    /// The clean-up of English texts that BERT's decoder has, in its order.
    private static func cleaned(_ text: String) -> String {
        let replacements = [
            (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
            (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
        ]
        guard text.utf8.contains(UInt8(ascii: " ")) else { return text }
        return replacements.reduce(text) { text, pair in
            replacing(.literal(Array(pair.0.unicodeScalars)), Array(pair.1.unicodeScalars), in: text)
        }
    }

    private static func decodingBytes(of tokens: [String]) -> String {
        var bytes = [UInt8]()
        for token in tokens {
            // An added token is text as it stands.
            bytes += ByteSymbols.bytes(of: token.unicodeScalars) ?? Array(token.utf8)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Makes characters of runs of tokens such as `<0xE2>`; U+FFFD for each byte of a run that is not UTF-8.
    private static func joiningBytes(of tokens: [String]) -> [String] {
        var output = [String]()
        var bytes = [UInt8]()
        func flush() {
            if let text = String(validating: bytes, as: UTF8.self) {
                if !bytes.isEmpty { output.append(text) }
            } else {
                output += bytes.map { _ in "\u{FFFD}" }
            }
            bytes = []
        }
        for token in tokens {
            let spelling = Array(token.utf8)
            if spelling.count == 6, spelling.starts(with: "<0x".utf8), spelling[5] == UInt8(ascii: ">"),
                let byte = UInt8(String(decoding: spelling[3..<5], as: UTF8.self), radix: 16)
            {
                bytes.append(byte)
            } else {
                flush()
                output.append(token)
            }
        }
        flush()
        return output
    }
}
