import ConcordPlatform

/// What one pass over a row of logits finds.
struct LogitScan {
    struct Candidate {
        let token: Int32
        let logit: Double
    }

    /// The largest logits among the open tokens, the largest first, then by id.
    let top: [Candidate]
    /// The logarithm of the sum of exponentials of all logits, open or not: what makes a logit a logarithm of a
    /// probability. NaN when a logit is NaN or positively infinite, or all are negatively infinite.
    let logSumExp: Double

    /// Elements that stay in the nearest cache between the search for the largest and the sum.
    private static let block = 1024

    /// - Parameters:
    ///   - count: how many of the largest are wanted. Fewer come when fewer are open or above negative infinity.
    ///   - isOpen: whether a token may come; asked only of those that would be among the largest.
    init<Scalar: LogitScalar>(
        _ logits: UnsafeBufferPointer<Scalar>, count: Int, isOpen: (Int) -> Bool
    ) {
        var top = [Candidate]()
        top.reserveCapacity(count + 1)
        var largest = -Scalar.infinity, sum = 0.0
        // What a logit must exceed to be among the largest: nothing is known of ties, and the first of equals stays.
        var threshold = -Scalar.infinity
        var start = 0
        while start < logits.count {
            let end = min(start + Self.block, logits.count)
            let values = UnsafeBufferPointer(rebasing: logits[start..<end])
            let blockLargest = Scalar.largest(values)
            if blockLargest > largest {
                sum *= exp(Double(largest - blockLargest))
                largest = blockLargest
            }
            if largest > -.infinity {
                sum += Scalar.exponentialSum(values, minus: largest)
            } else if values.contains(where: \.isNaN) {
                sum = .nan
            }
            if blockLargest > threshold {
                for index in values.indices where values[index] > threshold && isOpen(start + index) {
                    Self.insert(Candidate(token: Int32(start + index), logit: Double(values[index])), into: &top)
                    if top.count > count { top.removeLast() }
                    if top.count == count, let last = top.last { threshold = Scalar(last.logit) }
                }
            }
            start = end
        }
        self.top = top
        logSumExp = sum.isFinite && sum > 0 ? Double(largest) + log(sum) : .nan
    }

    private static func insert(_ candidate: Candidate, into top: inout [Candidate]) {
        var place = top.endIndex
        while place > 0, top[place - 1].logit < candidate.logit { place -= 1 }
        top.insert(candidate, at: place)
    }
}
