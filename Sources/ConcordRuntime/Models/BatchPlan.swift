/// How items are cut into runs of few shapes.
package enum BatchPlan {
    /// A run of `size` rows and `columns` tokens, of which the first rows are `items` and the others padding.
    package struct Run: Hashable {
        /// Places of items in what was planned.
        package let items: [Int]
        package let size: Int
        package let columns: Int
    }

    /// What a run costs beside its tokens, in tokens: a core reads the weights of a layer about as fast as it multiplies
    /// so many tokens by them (6 to 13, measured on text towers of ViT-B/32 in float32 and int8).
    private static let costOfRun = 8

    /// The cheapest runs for items of so many tokens, of the sizes `buckets`, which rise.
    ///
    /// Tokens of padding cost as much as others, so short items run together and long ones together, where there are
    /// enough of each to be worth a run.
    package static func runs(lengths: [Int], buckets: [Int]) -> [Run] {
        let order = lengths.indices.sorted { (lengths[$0], $0) < (lengths[$1], $1) }
        let largest = buckets.last ?? 1
        // For the first items of `order`, so many: the least cost, and how many of them the last run has.
        var costs = [0], counts = [0]
        for end in order.indices.map({ $0 + 1 }) {
            let columns = lengths[order[end - 1]]
            var (cost, count) = (Int.max, 0)
            for candidate in 1...min(largest, end) {
                let rows = buckets.first { $0 >= candidate } ?? largest
                let found = costs[end - candidate] + costOfRun + rows * columns
                // Of plans that cost the same, that of the fewest runs.
                if found <= cost { (cost, count) = (found, candidate) }
            }
            costs.append(cost)
            counts.append(count)
        }
        var runs: [Run] = [], end = order.count
        while end > 0 {
            let items = order[(end - counts[end])..<end]
            runs.append(
                Run(
                    items: Array(items), size: buckets.first { $0 >= items.count } ?? largest,
                    columns: lengths[order[end - 1]]))
            end -= counts[end]
        }
        return runs.reversed()
    }

    /// What the number of a text's tokens is rounded up to, the context length at most: an eighth more, about, so that there
    /// are few shapes.
    package static func tokens(_ count: Int, contextLength: Int) -> Int {
        // 2 up to 16 tokens, 4 up to 32, 8 up to 64, and so on.
        var step = 2
        while count > 8 * step { step *= 2 }
        return min((max(count, 1) + step - 1) / step * step, contextLength)
    }
}
