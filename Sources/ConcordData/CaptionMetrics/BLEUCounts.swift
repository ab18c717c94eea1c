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
