import ConcordCore

/// SigLIP's tokenizer: pieces of a SentencePiece `.model` file, and the end token after every text.
///
/// Texts lose ASCII punctuation and runs of white space, and capitals unless the configuration says otherwise. Follows
/// `SiglipTokenizer` of `transformers` (5.23, `models/siglip/tokenization_siglip.py`). Copies share one model; all
/// methods may be called from any thread.
package struct SentencePieceTokenizer: Tokenizer {
    /// Whether texts are put in lower case: `do_lower_case` of `tokenizer_config.json`.
    package let lowercases: Bool
    /// The id that ends every text.
    package let endToken: Int
    package let padToken: Int

    private let model: SentencePieceModel
    private let specialTokens: AddedTokens
    private let files: TokenizerFileCopies
    /// The unknown token's name, and how many pieces it is cut into.
    private let unknownName: String
    private let unknownLength: Int

    /// Stands for a space.
    private static let mark: Unicode.Scalar = "▁"

    /// Reads the model file of a folder, and what its `tokenizer_config.json` says about it.
    ///
    /// - Throws: `.fileSystem` when there is no model file; `.invalidTokenizer` for a damaged one, for one without its
    ///   special tokens, and for a family other than SigLIP, whose ids differ from those of the file.
    package init(folder: String) throws(ConcordError) {
        let settings = try TokenizerSettings(folder: folder)
        let name =
            TokenizerFiles.sentencePiece.first { Files.exists(folder + "/" + $0) } ?? TokenizerFiles.sentencePiece[0]
        let path = folder + "/" + name
        // Without a configuration, only the name of the file tells the family.
        guard
            settings.tokenizerClass == "SiglipTokenizer"
                || settings.tokenizerClass == nil && name == TokenizerFiles.sentencePiece[0]
        else {
            let kind = settings.tokenizerClass.map { "\"\($0)\"" } ?? "not named"
            throw ConcordError(
                .invalidTokenizer,
                "\(path): its tokenizer_class is \(kind), and only SiglipTokenizer is supported; save the tokenizer "
                    + "with transformers as tokenizer.json")
        }
        let model = try SentencePieceModel(bytes: try Files.read(path), source: path)
        func id(_ member: String, _ otherwise: String) throws(ConcordError) -> (name: String, id: Int32) {
            let token = settings.token(member) ?? otherwise
            let id = model.id(of: token)
            guard model.tokens.indices.contains(Int(id)), model.tokens[Int(id)].utf8.elementsEqual(token.utf8) else {
                throw ConcordError(.invalidTokenizer, "\(path): the \(member) \"\(token)\" is not in the vocabulary")
            }
            return (token, id)
        }
        let end = try id("eos_token", "</s>")
        let unknown = try id("unk_token", "<unk>")
        let padding = try id("pad_token", "</s>")
        try settings.checkAddedTokens(model.tokens)
        let added = (settings["added_tokens_decoder"]?.members ?? []).compactMap { member in
            member.value["content"]?.string.map { ($0, model.id(of: $0)) }
        }
        var special = [end, unknown]
        for token in [padding] + added where !special.contains(where: { $0.1 == token.1 }) { special.append(token) }

        self.model = model
        endToken = Int(end.id)
        padToken = Int(padding.id)
        unknownName = unknown.name
        unknownLength = model.encode(unknown.name).count
        specialTokens = AddedTokens(special.map { AddedTokens.Token(name: $0.0, id: $0.1) }) { _ in }
        lowercases = try settings.flag("do_lower_case", otherwise: true)
        files = try TokenizerFileCopies(
            folder: folder, names: [name] + TokenizerFiles.settings)
    }

    package var vocabularySize: Int { model.tokens.count }
    package var manifest: TokenizerManifest { TokenizerManifest(kind: .sentencePiece) }

    package func encode(_ text: String, contextLength: Int) -> (ids: [Int32], isTruncated: Bool) {
        let end = Int32(endToken)
        // A text that ends with the end token's name gets no second one.
        func ended(_ ids: some Collection<Int32>) -> [Int32] {
            Array(ids.suffix(1)) == [end] ? Array(ids) : ids + [end]
        }
        let ids = pieces(of: text)
        if ids.count < contextLength { return (ended(ids), false) }
        return (contextLength < 1 ? [] : ended(ids.prefix(contextLength - 1)), true)
    }

    /// The pieces of a text as SigLIP wants it, in the peer's steps: a mark before the text, the names of special
    /// tokens cut out, what is between them canonicalized and then encoded after the unknown token's name, so that
    /// the library drops no space at its beginning.
    private func pieces(of text: String) -> [Int32] {
        var ids = [Int32]()
        let marked = [Self.mark] + text.unicodeScalars.map { $0 == Self.mark ? " " : $0 }
        var isMarkAlone = false
        specialTokens.raw.forEachPart(of: marked[...]) { part in
            switch part {
            case .token(let id):
                // The mark alone before a special token is left out.
                if isMarkAlone, ids.count == 1 { ids.removeAll() }
                isMarkAlone = false
                ids.append(id)
            case .text(let scalars):
                let cased = lowercases ? Normalization.lowercased(Array(scalars)) : Array(scalars)
                let canonical = PythonText.collapsingSpace(PythonText.removingPunctuation(cased))
                let pieces = model.encode(unknownName + String(String.UnicodeScalarView(canonical)))
                ids += pieces.count >= unknownLength ? pieces.dropFirst(unknownLength) : pieces[...]
                isMarkAlone = scalars.startIndex == 0 && canonical == [Self.mark]
            }
        }
        return ids
    }

    package func specialTokens(in text: String) -> [String] {
        var names = [String]()
        specialTokens.raw.forEachPart(of: Array(text.unicodeScalars)[...]) { part in
            if case .token(let id) = part, let name = token(for: id) { names.append(name) }
        }
        return names
    }

    package func token(for id: Int32) -> String? {
        model.tokens.indices.contains(Int(id)) ? model.tokens[Int(id)] : nil
    }

    package func decode(_ ids: [Int32]) -> String {
        let text = model.decode(ids.filter { !specialTokens.specialIDs.contains($0) })
        return String(String.UnicodeScalarView(PythonText.stripping(text.unicodeScalars)))
    }

    /// Writes the files that the tokenizer was read from, byte for byte; a `tokenizer_config.json` only where there
    /// was none. Throws `.fileSystem`.
    package func write(to folder: String, contextLength: Int) throws {
        try files.write(
            to: folder,
            settings: [
                "tokenizer_class": "SiglipTokenizer", "do_lower_case": .bool(lowercases),
                "model_max_length": .integer(contextLength),
            ])
    }
}
