import ConcordCore

/// The numbers that BLEU is made of, of one caption or the sum over many (coco-caption, `bleu_scorer.py`).
struct BLEUCounts {
    private var length = 0
    /// The length of the closest reference.
    private var referenceLength = 0
    /// By order: n-grams of the caption, and how many of them a reference has, each as often as there.
    private var totals = [Int](repeating: 0, count: NGramCounts.orders)
    private var matches = [Int](repeating: 0, count: NGramCounts.orders)

    init() {}

    init(_ candidate: NGramCounts, references: [NGramCounts]) {
        let length = candidate.tokenCount
        self.length = length
        // Of two lengths equally close the shorter one.
        referenceLength =
            references.map(\.tokenCount).min { (abs($0 - length), $0) < (abs($1 - length), $1) } ?? 0
        for order in totals.indices { totals[order] = candidate.total(order: order) }
        for entry in candidate.entries {
            matches[entry.order] += min(entry.count, references.map { $0[entry.ngram] }.max() ?? 0)
        }
    }

    static func += (sum: inout BLEUCounts, other: BLEUCounts) {
        sum.length += other.length
        sum.referenceLength += other.referenceLength
        for order in sum.totals.indices {
            sum.totals[order] += other.totals[order]
            sum.matches[order] += other.matches[order]
        }
    }

    /// BLEU-1 to BLEU-4.
    var scores: [Double] {
        // The peer's constants: without them a caption without a match of one order would have no BLEU to compare.
        let tiny = 1e-15, small = 1e-9
        let ratio = (Double(length) + tiny) / (Double(referenceLength) + small)
        let brevity = ratio < 1 ? exp(1 - 1 / ratio) : 1
        var product = 1.0
        return totals.indices.map { order in
            product *= (Double(matches[order]) + tiny) / (Double(totals[order]) + small)
            return pow(product, 1 / Double(order + 1)) * brevity
        }
    }
}

/// ROUGE-L (coco-caption, `rouge.py`).
enum ROUGE {
    private static let beta = 1.2

    /// The peer splits an empty text into one empty word, and so takes two empty captions for equal; here they have
    /// nothing in common.
    static func score(_ candidate: [UInt32], references: [[UInt32]]) -> Double {
        guard !candidate.isEmpty else { return 0 }
        var precision = 0.0, recall = 0.0
        for reference in references where !reference.isEmpty {
            let common = Double(longestCommonSubsequence(candidate, reference))
            precision = max(precision, common / Double(candidate.count))
            recall = max(recall, common / Double(reference.count))
        }
        guard precision > 0, recall > 0 else { return 0 }
        return (1 + beta * beta) * precision * recall / (recall + beta * beta * precision)
    }

    private static func longestCommonSubsequence(_ first: [UInt32], _ second: [UInt32]) -> Int {
        var lengths = [Int](repeating: 0, count: second.count + 1)
        for token in first {
            var diagonal = 0
            for (index, other) in second.enumerated() {
                let above = lengths[index + 1]
                lengths[index + 1] = token == other ? diagonal + 1 : max(above, lengths[index])
                diagonal = above
            }
        }
        return lengths[second.count]
    }
}

/// METEOR with its exact matcher alone (Banerjee and Lavie 2005).
enum ExactMETEOR {
    private static let recallWeight = 0.9
    /// The number of partial alignments kept: far more than a caption has, unless a word fills it.
    private static let beamWidth = 64

    static func score(_ candidate: [UInt32], reference: [UInt32]) -> Double {
        let (matches, chunks) = align(candidate, reference)
        guard matches > 0 else { return 0 }
        let precision = Double(matches) / Double(candidate.count)
        let recall = Double(matches) / Double(reference.count)
        let mean = precision * recall / (recallWeight * precision + (1 - recallWeight) * recall)
        let fragmentation = Double(chunks) / Double(matches)
        return mean * (1 - 0.5 * fragmentation * fragmentation * fragmentation)
    }

    /// Pairs of places up to some word of the candidate.
    private struct Alignment: Hashable {
        /// The places of the reference that are taken, a bit each.
        private var used: [UInt64]
        /// The place that the last word of the candidate has; nil when it has none.
        private(set) var last: Int?

        init(places: Int) { used = Array(repeating: 0, count: (places + 63) / 64) }

        func isFree(_ place: Int) -> Bool { used[place / 64] >> UInt64(place % 64) & 1 == 0 }

        mutating func take(_ place: Int) {
            used[place / 64] |= 1 << UInt64(place % 64)
            last = place
        }

        mutating func leaveOut() { last = nil }
    }

    /// As many pairs of equal words as there can be, each word once, in as few chunks as possible.
    ///
    /// Words that occur once leave no choice; where words repeat, all alignments are followed from left to right, and
    /// of those that differ only in what came before the best is kept. When there are more than `beamWidth`, those with
    /// most chunks are dropped, and the chunks may then be more than the fewest.
    private static func align(_ candidate: [UInt32], _ reference: [UInt32]) -> (matches: Int, chunks: Int) {
        let places = Dictionary(grouping: reference.indices) { reference[$0] }
        var candidateLeft = [UInt32: Int]()
        for word in candidate { candidateLeft[word, default: 0] += 1 }
        let matches = candidateLeft.reduce(0) { $0 + min($1.value, places[$1.key]?.count ?? 0) }
        guard matches > 0 else { return (0, 0) }

        var beam = [(alignment: Alignment(places: reference.count), chunks: 0)]
        for word in candidate {
            let wordPlaces = places[word] ?? []
            candidateLeft[word, default: 0] -= 1
            var next = [(alignment: Alignment, chunks: Int)]()
            var indices = [Alignment: Int]()
            func keep(_ alignment: Alignment, _ chunks: Int) {
                if let index = indices[alignment] {
                    next[index].chunks = min(next[index].chunks, chunks)
                } else {
                    indices[alignment] = next.count
                    next.append((alignment, chunks))
                }
            }
            for (alignment, chunks) in beam {
                let free = wordPlaces.filter(alignment.isFree)
                for place in free {
                    var extended = alignment
                    extended.take(place)
                    let continues = alignment.last.map { $0 + 1 == place } ?? false
                    keep(extended, continues ? chunks : chunks + 1)
                }
                // Leaving the word out loses a pair unless the words alike that follow can fill all free places.
                if free.count <= candidateLeft[word, default: 0] {
                    var skipping = alignment
                    skipping.leaveOut()
                    keep(skipping, chunks)
                }
            }
            if next.count > beamWidth {
                let best = next.indices.sorted { (next[$0].chunks, $0) < (next[$1].chunks, $1) }
                next = best.prefix(beamWidth).map { next[$0] }
            }
            beam = next
        }
        return (matches, beam.map(\.chunks).min() ?? matches)
    }
}

/// CIDEr-D with document frequencies of the references that are scored against (coco-caption, `cider_scorer.py`).
struct CIDErScorer {
    private let sigma = 6.0
    private let logImageCount: Double
    /// In how many images' references an n-gram occurs.
    private var documentFrequencies = [NGram: Int]()

    init(references: [[NGramCounts]]) {
        logImageCount = log(Double(references.count))
        for image in references {
            let ngrams = Set(image.flatMap { $0.entries.map(\.ngram) })
            for ngram in ngrams { documentFrequencies[ngram, default: 0] += 1 }
        }
    }

    func score(_ candidate: NGramCounts, references: [NGramCounts]) -> Double {
        let candidateNorms = norms(candidate)
        var sum = 0.0
        for reference in references {
            let referenceNorms = norms(reference)
            var products = [Double](repeating: 0, count: NGramCounts.orders)
            for entry in candidate.entries {
                let count = reference[entry.ngram]
                guard count > 0 else { continue }
                let inverseFrequency = inverseFrequency(of: entry.ngram)
                let weight = Double(count) * inverseFrequency
                // Clipped, so that repeating a word that the reference has does not pay.
                products[entry.order] += min(Double(entry.count) * inverseFrequency, weight) * weight
            }
            for order in products.indices where candidateNorms[order] != 0 && referenceNorms[order] != 0 {
                products[order] /= candidateNorms[order] * referenceNorms[order]
            }
            // The peer measures length in bigrams; so captions of no and of one word are equally long.
            let difference = Double(candidate.total(order: 1) - reference.total(order: 1))
            let penalty = exp(-difference * difference / (2 * sigma * sigma))
            sum += penalty * products.reduce(0, +)
        }
        return 10 * sum / Double(NGramCounts.orders * references.count)
    }

    private func inverseFrequency(of ngram: NGram) -> Double {
        logImageCount - log(Double(documentFrequencies[ngram] ?? 1))
    }

    /// The length of a caption's vector of weights, by order.
    private func norms(_ caption: NGramCounts) -> [Double] {
        var squares = [Double](repeating: 0, count: NGramCounts.orders)
        for entry in caption.entries {
            let weight = Double(entry.count) * inverseFrequency(of: entry.ngram)
            squares[entry.order] += weight * weight
        }
        return squares.map { $0.squareRoot() }
    }
}

/// Tokens as numbers from 1, so that an n-gram is four numbers and not a list of texts.
///
/// Canonically equivalent spellings get one number, because `String` compares so.
struct MetricVocabulary {
    private var numbers = [String: UInt32]()

    mutating func numbers(of tokens: [String]) -> [UInt32] {
        tokens.map { token in
            if let number = numbers[token] { return number }
            let number = UInt32(numbers.count + 1)
            numbers[token] = number
            return number
        }
    }
}

/// One to four tokens; unused places are 0, which is no token.
typealias NGram = SIMD4<UInt32>

/// The counts of a caption's n-grams of one to four tokens.
///
/// They are listed in the order in which they occur, shortest n-grams first: sums over them must not depend on the
/// order of a dictionary, which differs from run to run.
struct NGramCounts {
    struct Entry {
        let ngram: NGram
        /// Number of tokens less one.
        let order: Int
        var count: Int
    }

    static let orders = 4

    let tokenCount: Int
    private(set) var entries = [Entry]()
    private var places = [NGram: Int]()

    init(_ tokens: [UInt32]) {
        tokenCount = tokens.count
        for order in 0..<Self.orders where order < tokens.count {
            for start in 0..<(tokens.count - order) {
                var ngram = NGram()
                for offset in 0...order { ngram[offset] = tokens[start + offset] }
                if let place = places[ngram] {
                    entries[place].count += 1
                } else {
                    places[ngram] = entries.count
                    entries.append(Entry(ngram: ngram, order: order, count: 1))
                }
            }
        }
    }

    /// Number of n-grams of `order` + 1 tokens.
    func total(order: Int) -> Int { max(0, tokenCount - order) }

    subscript(_ ngram: NGram) -> Int { places[ngram].map { entries[$0].count } ?? 0 }
}
