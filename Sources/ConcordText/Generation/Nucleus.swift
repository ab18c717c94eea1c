import Foundation

/// Draws a token from the most probable ones (Fan et al. 2018; Holtzman et al. 2020).
struct Nucleus {
    let topK: Int?
    let topP: Double

    /// How many tokens a nucleus is looked for among, before all are sorted: a trained model's is smaller as a rule.
    private static let usualCount = 256

    /// The token at a place in `[0, 1)` of the distribution whose logits these are; nil when none is possible.
    func draw<Scalar: LogitScalar>(_ logits: UnsafeBufferPointer<Scalar>, at place: Double) -> Int32? {
        if let topK, topK < logits.count {
            // A large set is sorted, because the scan keeps its candidates in order one by one.
            let top =
                topK <= Self.usualCount
                ? LogitScan(logits, count: topK) { _ in true }.top : Array(sorted(logits).prefix(topK))
            return draw(from: top, at: place, total: nil)
        }
        if topP == 1 { return drawFromAll(logits, at: place) }
        let scan = LogitScan(logits, count: Self.usualCount) { _ in true }
        guard let first = scan.top.first else { return nil }
        let total = exp(scan.logSumExp - first.logit)
        let isEnough = weights(scan.top).reduce(0, +) >= topP * total || scan.top.count < Self.usualCount
        return draw(from: isEnough ? scan.top : sorted(logits), at: place, total: total)
    }

    /// - Parameters:
    ///   - top: tokens, the most probable first.
    ///   - total: the weight of all tokens that the probability `topP` is one of; nil for those of `top`.
    private func draw(from top: [LogitScan.Candidate], at place: Double, total: Double?) -> Int32? {
        let weights = weights(top), needed = topP * (total ?? weights.reduce(0, +))
        var count = 0, kept = 0.0
        while count < weights.count, count == 0 || kept < needed {
            kept += weights[count]
            count += 1
        }
        var sum = 0.0
        for index in 0..<count {
            sum += weights[index]
            if sum > place * kept { return top[index].token }
        }
        return count > 0 ? top[count - 1].token : nil
    }

    /// Exponentials of the logits, that of the first being 1.
    private func weights(_ top: [LogitScan.Candidate]) -> [Double] {
        top.map { exp($0.logit - (top.first?.logit ?? 0)) }
    }

    private func sorted<Scalar: LogitScalar>(_ logits: UnsafeBufferPointer<Scalar>) -> [LogitScan.Candidate] {
        logits.enumerated().filter { $0.element > -.infinity }
            .map { LogitScan.Candidate(token: Int32($0.offset), logit: Double($0.element)) }
            .sorted { ($1.logit, $0.token) < ($0.logit, $1.token) }
    }

    /// Tokens in the order of their ids, a block at a time until the place is in it.
    private func drawFromAll<Scalar: LogitScalar>(_ logits: UnsafeBufferPointer<Scalar>, at place: Double) -> Int32? {
        let largest = Scalar.largest(logits)
        guard largest > -.infinity else { return nil }
        let blocks = stride(from: 0, to: logits.count, by: 1024).map { start in
            UnsafeBufferPointer(rebasing: logits[start..<min(start + 1024, logits.count)])
        }
        let sums = blocks.map { Scalar.exponentialSum($0, minus: largest) }
        let target = place * sums.reduce(0, +)
        var sum = 0.0, last: Int32?
        for (block, blockSum) in zip(blocks.indices, sums) {
            guard sum + blockSum > target || block == blocks.count - 1 else {
                sum += blockSum
                continue
            }
            for (index, logit) in blocks[block].enumerated() where logit > -.infinity {
                sum += exp(Double(logit - largest))
                last = Int32(block * 1024 + index)
                if sum > target { return last }
            }
        }
        // Rounding left the place a hair behind the last token.
        return last
    }
}
