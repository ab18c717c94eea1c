/// How items are cut into runs of few shapes.
package enum BatchPlan {
    /// A run of `size` rows, of which the first are `items` and the others padding.
    package struct Run: Hashable {
        package let items: Range<Int>
        package let size: Int
    }

    /// Runs for `count` items, of the sizes `buckets`, which rise.
    ///
    /// A run is padded where a quarter of it at most is padding; otherwise a smaller full one goes first, since the time
    /// of a run grows almost as its rows do.
    package static func runs(of count: Int, buckets: [Int]) -> [Run] {
        var runs: [Run] = [], start = 0
        while start < count {
            let left = count - start
            let above = buckets.first { $0 >= left }, below = buckets.last { $0 <= left }
            let size: Int
            switch (above, below) {
            case (let above?, let below?): size = 4 * left >= 3 * above ? above : below
            case (let above?, nil): size = above
            case (nil, let below?): size = below
            case (nil, nil): preconditionFailure("there are batch sizes")
            }
            let end = start + min(size, left)
            runs.append(Run(items: start..<end, size: size))
            start = end
        }
        return runs
    }

    /// What the number of a text's tokens is rounded up to: multiples of 8 up to 32, above that powers of two and what
    /// lies half-way between, the context length at most.
    package static func tokens(_ count: Int, contextLength: Int) -> Int {
        guard count > 32 else { return min((max(count, 1) + 7) / 8 * 8, contextLength) }
        var length = 32
        while length < count { length += length & (length - 1) == 0 ? length / 2 : length / 3 }
        return min(length, contextLength)
    }
}
