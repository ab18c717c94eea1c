import ConcordCore

/// How well queries find what belongs to them in a gallery.
public struct RetrievalMetrics: Sendable, Hashable {
    /// Shares of queries whose best match is among the first 1, 5 and 10.
    public let recallAt1, recallAt5, recallAt10: Double
    /// The median over queries of the rank of the best match; the first rank is 1.
    public let medianRank: Double

    /// Summarises ranks, the first being 1.
    public init(ranks: [Int]) {
        func recall(_ k: Int) -> Double {
            ranks.isEmpty ? 0 : Double(ranks.count { $0 <= k }) / Double(ranks.count)
        }
        recallAt1 = recall(1)
        recallAt5 = recall(5)
        recallAt10 = recall(10)
        let sorted = ranks.sorted(), middle = ranks.count / 2
        medianRank =
            ranks.isEmpty
            ? 0 : Double(ranks.count % 2 == 1 ? 2 * sorted[middle] : sorted[middle - 1] + sorted[middle]) / 2
    }

    /// Recalls in per cent and the median rank, as tables show them.
    package var cells: [String] {
        [recallAt1, recallAt5, recallAt10].map { NumberText.fixed(100 * $0, decimals: 1) }
            + [NumberText.fixed(medianRank, decimals: 1)]
    }

    public var json: JSONValue {
        [
            "recall@1": .number(recallAt1), "recall@5": .number(recallAt5), "recall@10": .number(recallAt10),
            "median_rank": .number(medianRank),
        ]
    }
}
