import ConcordCore

/// CLIP's tokenizer: a byte-level byte-pair encoding of cleaned text between a start and an end token.
///
/// The two reference implementations give different ids for some texts, so the mode says which one to equal.
/// Copies share one cache; all methods may be called from any thread.
///
/// Follows `transformers/models/clip/tokenization_clip.py` (5.23) and `open_clip/tokenizer.py` (3.3). Characters are
/// classed by the Unicode version of the Swift library; the peers' are one or two versions off, which shows only in
/// characters that are new in those versions. Where Hugging Face's NFC has older tables (Unicode 9), this one follows
/// the current standard.
public struct CLIPTokenizer: Tokenizer {
    /// Which reference implementation the ids equal.
    public enum Mode: String, Sendable, CaseIterable {
        /// open_clip's `SimpleTokenizer`: repairs text as ftfy does, replaces HTML references, lower case as in Python.
        /// Pads with 0. `<start_of_text>` and `<end_of_text>` in a text become the special tokens; OpenAI's first
        /// release, the same otherwise, takes `<|startoftext|>` and `<|endoftext|>` for them.
        ///
        /// ftfy's guessing of wrong encodings ("cafÃ©" → "café") is left out; such text is encoded as it stands.
        /// That changes the ids of 12 of our 412 adversarial strings, eight of them garbled on purpose.
        case openai
        /// Hugging Face's `CLIPTokenizer`: NFC, and each character in lower case by itself. Pads with the end token.
        /// The special tokens' own names in a text become the special tokens.
        case huggingface
    }

    let vocabulary: CLIPVocabulary
    let pipeline: TextPipeline
    private let cache = PieceCache()

    init(mode: Mode, vocabulary: CLIPVocabulary, options: TextPipeline.Options) {
        self.vocabulary = vocabulary
        pipeline = TextPipeline(
            mode: mode, startName: vocabulary.tokens[Int(vocabulary.start)],
            endName: vocabulary.tokens[Int(vocabulary.end)], options: options)
    }

    public var mode: Mode { pipeline.mode }

    /// The number of tokens, special ones included.
    public var vocabularySize: Int { vocabulary.tokens.count }
    /// The id that begins every text.
    public var startToken: Int { Int(vocabulary.start) }
    /// The id that ends every text.
    public var endToken: Int { Int(vocabulary.end) }
    /// The id that fills the rows of a batch: 0 in mode `openai`, the end token in mode `huggingface`.
    public var padToken: Int { mode == .openai ? 0 : endToken }

    /// How the vocabulary spells a token (`cat</w>`); nil for an id that it does not have.
    public func token(for id: Int32) -> String? {
        vocabulary.tokens.indices.contains(Int(id)) ? vocabulary.tokens[Int(id)] : nil
    }

    /// The ids of a text, between start and end token, however long.
    public func encode(_ text: String) -> [Int32] {
        var ids = [vocabulary.start]
        var bytes = [UInt8]()
        pipeline.forEachUnit(of: text) { unit in
            switch unit {
            case .start: ids.append(vocabulary.start)
            case .end: ids.append(vocabulary.end)
            case .piece(let piece):
                bytes.removeAll(keepingCapacity: true)
                for scalar in piece { bytes.append(utf8Of: scalar) }
                ids += cache.tokens(of: bytes[...]) { BytePairEncoder.encode(bytes, vocabulary) }
            }
        }
        ids.append(vocabulary.end)
        return ids
    }

    public func specialTokens(in text: String) -> [String] {
        // open_clip has names of its own, whatever the vocabulary file calls the tokens.
        let own = (start: vocabulary.tokens[Int(vocabulary.start)], end: vocabulary.tokens[Int(vocabulary.end)])
        let names = mode == .openai ? CLIPVocabulary.specialNames[1] : own
        var found = [String]()
        pipeline.forEachUnit(of: text) { unit in
            switch unit {
            case .start: found.append(names.start)
            case .end: found.append(names.end)
            case .piece: break
            }
        }
        return found
    }

    /// The ids of a text, at most `contextLength` of them.
    ///
    /// A longer text loses its last tokens, but not the end token.
    public func encode(_ text: String, contextLength: Int) -> (ids: [Int32], isTruncated: Bool) {
        var ids = encode(text)
        guard ids.count > contextLength else { return (ids, false) }
        ids.removeLast(ids.count - max(contextLength, 0))
        if !ids.isEmpty { ids[ids.count - 1] = vocabulary.end }
        return (ids, true)
    }

    /// The text that ids stand for, without special tokens: lower case, and a space after each word.
    ///
    /// Bytes that are not UTF-8 become U+FFFD; ids that the vocabulary lacks are left out.
    public func decode(_ ids: [Int32]) -> String {
        var bytes = [UInt8]()
        for id in ids where id != vocabulary.start && id != vocabulary.end {
            guard let content = token(for: id).flatMap(ByteSymbols.content(of:)) else { continue }
            bytes += content.bytes
            if content.endsWord { bytes.append(UInt8(ascii: " ")) }
        }
        let text = String(decoding: bytes, as: UTF8.self).unicodeScalars
        return String(String.UnicodeScalarView(PythonText.stripping(text)))
    }
}

extension [UInt8] {
    /// Appends the UTF-8 bytes of a character.
    mutating func append(utf8Of scalar: Unicode.Scalar) {
        if scalar.isASCII {
            append(UInt8(truncatingIfNeeded: scalar.value))
        } else if let encoded = UTF8.encode(scalar) {
            append(contentsOf: encoded)
        }
    }
}
