import ConcordCore

extension TokenizerPipelineReader {
    /// The model over the tokens of `model.vocab`, by their bytes.
    func readModel(
        _ model: JSONValue, _ vocabulary: [[UInt8]: Int32], isByteLevel: Bool
    ) throws(ConcordError) -> TokenizerPipeline.Model {
        switch model["type"]?.string ?? Self.kind(of: model) {
        case "BPE": return .bpe(try readBPE(model, vocabulary, isByteLevel: isByteLevel))
        case "WordPiece" where !isByteLevel: return .wordPiece(try readWordPiece(model, vocabulary))
        case "Unigram" where !isByteLevel: return .unigram(try readUnigram(model, vocabulary))
        case "WordPiece", "Unigram": throw failure("pre_tokenizer ByteLevel goes with model.type BPE only")
        default: throw unsupported("model.type", model["type"])
        }
    }

    /// The type of a model of older files, which do not name it.
    private static func kind(of model: JSONValue) -> String? {
        if model["merges"] != nil { return "BPE" }
        if model["max_input_chars_per_word"] != nil { return "WordPiece" }
        return model["unk_id"] != nil ? "Unigram" : nil
    }

    private func unknown(_ name: String, _ vocabulary: [[UInt8]: Int32]) throws(ConcordError) -> Int32 {
        guard let id = vocabulary[Array(name.utf8)] else {
            throw failure("the unknown token \"\(name)\" is not in model.vocab")
        }
        return id
    }

    private func readWordPiece(
        _ model: JSONValue, _ vocabulary: [[UInt8]: Int32]
    ) throws(ConcordError) -> WordPieceModel {
        guard let longest = (model["max_input_chars_per_word"] ?? 100).int, longest >= 0 else {
            throw unsupported("model.max_input_chars_per_word", model["max_input_chars_per_word"])
        }
        return WordPieceModel(
            vocabulary: vocabulary, unknown: try unknown(model["unk_token"]?.string ?? "[UNK]", vocabulary),
            prefix: model["continuing_subword_prefix"]?.string ?? "##", longestWord: longest)
    }

    private func readUnigram(
        _ model: JSONValue, _ vocabulary: [[UInt8]: Int32]
    ) throws(ConcordError) -> UnigramModel<Double> {
        let scores = (model["vocab"]?.elements ?? []).compactMap { $0.elements?.last?.double }
        guard scores.count == vocabulary.count else {
            throw failure("model.vocab should be a list of tokens with their scores")
        }
        guard let id = model["unk_id"]?.int, scores.indices.contains(id) else {
            throw failure(
                "the unknown token model.unk_id is \(model["unk_id"]?.text() ?? "missing"), not one of the "
                    + "\(scores.count) tokens")
        }
        return UnigramModel(
            vocabulary: vocabulary, scores: scores, smallestScore: scores.min() ?? 0, unknown: Int32(id),
            fallsBackToBytes: try flag(model, "byte_fallback", "model", otherwise: false))
    }

    private func readBPE(
        _ model: JSONValue, _ vocabulary: [[UInt8]: Int32], isByteLevel: Bool
    ) throws(ConcordError) -> BPEModel {
        guard let merges = model["merges"]?.elements else { throw failure("model.merges should be a list") }
        if let dropout = model["dropout"], !dropout.isNull, dropout.double != 0 {
            throw unsupported("model.dropout", dropout)
        }
        let prefix = model["continuing_subword_prefix"]
        if let prefix, !prefix.isNull, prefix.string?.isEmpty != true {
            throw unsupported("model.continuing_subword_prefix", prefix)
        }
        var options = BPEModel.Options()
        options.isByteLevel = isByteLevel
        options.suffix = model["end_of_word_suffix"]?.string ?? ""
        if let name = model["unk_token"]?.string { options.unknown = try unknown(name, vocabulary) }
        options.fusesUnknown = try flag(model, "fuse_unk", "model", otherwise: false)
        options.fallsBackToBytes = try flag(model, "byte_fallback", "model", otherwise: false)
        options.ignoresMerges = try flag(model, "ignore_merges", "model", otherwise: false)
        return try BPEModel(
            vocabulary: vocabulary, merges: try MergeTable.pairs(merges, source: source), options: options,
            source: source)
    }
}
