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
