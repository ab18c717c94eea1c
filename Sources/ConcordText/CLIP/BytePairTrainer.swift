import ConcordCore

/// Learns the merges of a CLIP-style byte-pair encoding from captions.
public struct BytePairTrainer {
    /// The smallest vocabulary: 256 bytes, 256 bytes at a word's end, start and end token.
    package static let smallestVocabulary = 514

    /// Trains a tokenizer on captions, which are cleaned and split as `mode` encodes them.
    ///
    /// The most frequent pair of neighboring tokens is merged next; of equally frequent ones that with the smaller
    /// left id, then the smaller right id, so the result does not depend on the order of the captions. Tokens are
    /// numbered as in OpenAI's vocabulary; the end token has the largest id. Training ends early when no pair is left
    /// that occurs twice: the vocabulary is smaller then.
    ///
    /// - Throws: `.invalidConfiguration` for fewer than 514 tokens.
    public static func train(
        captions: some Sequence<String>, vocabularySize: Int, mode: CLIPTokenizer.Mode = .huggingface
    ) throws(ConcordError) -> CLIPTokenizer {
        guard vocabularySize >= smallestVocabulary else {
            throw ConcordError(
                .invalidConfiguration,
                "a vocabulary of \(vocabularySize) tokens is too small: bytes and special tokens alone are "
                    + "\(smallestVocabulary)")
        }
        let names = CLIPVocabulary.specialNames[0]
        let splitter = CLIPTokenizer.splitter(mode, .init(), start: (names.start, 0), end: (names.end, 1))
        var counts = [[UInt8]: Int]()
        for caption in captions {
            splitter.split(caption) { _ in
            } piece: { piece in
                var bytes = [UInt8]()
                for scalar in piece { bytes.append(utf8Of: scalar) }
                counts[bytes, default: 0] += 1
            }
        }
        if mode == .openai {
            // These pieces are special tokens there.
            let names = CLIPVocabulary.specialNames[1]
            for name in [names.start, names.end] { counts[Array(name.utf8)] = nil }
        }
        var learner = MergeLearner(words: counts)
        while learner.tokens.count < vocabularySize - 2, learner.mergeNext() {}
        let vocabulary = try CLIPVocabulary(
            merges: learner.merges.map { (learner.tokens[Int($0.left)], learner.tokens[Int($0.right)]) },
            source: "the trained vocabulary")
        return try CLIPTokenizer(mode: mode, vocabulary: vocabulary)
    }
}

/// The counts of all pairs, kept up to date while pairs are merged.
private struct MergeLearner {
    struct Pair: Hashable, Comparable {
        let left, right: Int32
        static func < (a: Pair, b: Pair) -> Bool { (a.left, a.right) < (b.left, b.right) }
    }

    /// A pair and how often it occurred when this was noted; the largest count comes first.
    private struct Candidate: Comparable {
        let count: Int
        let pair: Pair
        static func < (a: Candidate, b: Candidate) -> Bool {
            a.count == b.count ? a.pair < b.pair : a.count > b.count
        }
    }

    private(set) var tokens: [String]
    private(set) var merges = [Pair]()
    private var words: [(symbols: [Int32], count: Int)] = []
    private var counts = [Pair: Int]()
    /// The words that have, or once had, a pair.
    private var places = [Pair: [Int32]]()
    private var candidates = BinaryHeap<Candidate>()

    init(words: [[UInt8]: Int]) {
        let bytes = ByteSymbols.order.map { ByteSymbols.spelling(of: [$0], endsWord: false) }
        tokens = bytes + bytes.map { $0 + ByteSymbols.wordEnd }
        var ids = [Int32](repeating: 0, count: 256)
        for (id, byte) in ByteSymbols.order.enumerated() { ids[Int(byte)] = Int32(id) }
        for (word, count) in words {
            var symbols = word.map { ids[Int($0)] }
            symbols[symbols.count - 1] += 256
            for pair in zip(symbols, symbols.dropFirst()).map(Pair.init) {
                counts[pair, default: 0] += count
                note(pair, in: self.words.count)
            }
            self.words.append((symbols, count))
        }
        for (pair, count) in counts { candidates.insert(Candidate(count: count, pair: pair)) }
    }

    private mutating func note(_ pair: Pair, in word: Int) {
        // Words come in order, so a second place in the same word is the last one noted.
        if places[pair]?.last != Int32(word) { places[pair, default: []].append(Int32(word)) }
    }

    /// Merges the most frequent pair; false when none occurs twice.
    mutating func mergeNext() -> Bool {
        while let candidate = candidates.popFirst() {
            let count = counts[candidate.pair] ?? 0
            guard count == candidate.count else {
                // The count has fallen since; every rise was noted when it happened.
                if count > 0 { candidates.insert(Candidate(count: count, pair: candidate.pair)) }
                continue
            }
            guard count > 1 else { return false }
            merge(candidate.pair)
            return true
        }
        return false
    }

    private mutating func merge(_ pair: Pair) {
        let token = Int32(tokens.count)
        tokens.append(tokens[Int(pair.left)] + tokens[Int(pair.right)])
        merges.append(pair)
        var grown = Set<Pair>()
        for word in places.removeValue(forKey: pair) ?? [] {
            let (old, count) = words[Int(word)]
            var new = [Int32]()
            new.reserveCapacity(old.count)
            var position = 0
            while position < old.count {
                let isPair = position + 1 < old.count && old[position] == pair.left && old[position + 1] == pair.right
                new.append(isPair ? token : old[position])
                position += isPair ? 2 : 1
            }
            guard new.count < old.count else { continue }
            for gone in zip(old, old.dropFirst()).map(Pair.init) { counts[gone, default: 0] -= count }
            for found in zip(new, new.dropFirst()).map(Pair.init) {
                counts[found, default: 0] += count
                if found.left == token || found.right == token {
                    note(found, in: Int(word))
                    grown.insert(found)
                }
            }
            words[Int(word)].symbols = new
        }
        counts[pair] = nil
        for found in grown { candidates.insert(Candidate(count: counts[found] ?? 0, pair: found)) }
    }
}
