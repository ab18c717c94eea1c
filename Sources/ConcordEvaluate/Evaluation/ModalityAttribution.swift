import ConcordCheckpoint
import ConcordCore
import ConcordModels
import ConcordTensor

/// How much of a score each modality of a row is responsible for: its Shapley value (Shapley 1953).
///
/// A modality's value is the mean, over all orders in which the row could have come to its modalities, of what the score
/// gains when it comes. All sets of modalities are tried, so nothing is approximated, and the values add up to the score
/// less that of nothing.
public struct ModalityAttribution: Sendable, Hashable {
    /// The modalities of the row, in order of their names.
    public let modalities: [Modality]
    /// The part of the score of each.
    public let values: [Double]
    /// The score with all modalities.
    public let score: Double
    /// The score of a row without any.
    public let baseline: Double

    public subscript(modality: Modality) -> Double? {
        modalities.firstIndex(of: modality).map { values[$0] }
    }

    /// Attributes the score of some modalities.
    ///
    /// - Parameters:
    ///   - baseline: the score of no modality; a cosine of 0 says nothing either way.
    ///   - score: the score of a set of modalities with at least one, called once for each.
    public init(
        _ modalities: [Modality], baseline: Double = 0, score: ([Modality]) throws -> Double
    ) rethrows {
        let modalities = modalities.sorted(), count = modalities.count
        // By the bits of a set: bit i is modality i.
        var scores = [baseline]
        for subset in modalities.nonEmptySubsets { scores.append(try score(subset)) }
        self.modalities = modalities
        self.baseline = baseline
        self.score = scores[scores.count - 1]
        values = modalities.indices.map { own in
            (0..<1 << count).filter { $0 >> own & 1 == 0 }.reduce(0) { sum, others in
                sum + Self.weight(of: others.nonzeroBitCount, among: count)
                    * (scores[others | 1 << own] - scores[others])
            }
        }
    }

    /// The share of orders in which exactly `before` certain others come first: before! (count − before − 1)! / count!.
    private static func weight(of before: Int, among count: Int) -> Double {
        // 1 / (count · binomial(count − 1, before))
        let ways = (0..<before).reduce(1.0) { $0 * Double(count - 1 - $1) / Double($1 + 1) }
        return 1 / (Double(count) * ways)
    }
}

extension FusedModel {
    /// Attributes the cosines between the rows of a batch and vectors, such as what each row has found.
    ///
    /// - Parameters:
    ///   - batch: rows with any modalities, one view of each.
    ///   - targets: unit vectors `[rows, width]`.
    /// - Throws: as the model does; `.shapeMismatch` for targets that do not fit.
    public func attributions(
        _ batch: Batch, targets: Tensor, baseline: Double = 0
    ) throws(ConcordError) -> [ModalityAttribution] {
        guard targets.shape == [batch.count, embeddingWidth] else {
            throw ConcordError(
                .shapeMismatch,
                "targets have shape \(targets.shape); the batch needs [\(batch.count), \(embeddingWidth)]")
        }
        var scores = [[[Modality]: Double]](repeating: [:], count: batch.count)
        for subset in configuration.fusion.modalities.nonEmptySubsets {
            let rows = batch.rows(with: subset)
            guard !rows.isEmpty else { continue }
            let part = try batch.selecting(rows: rows, keeping: subset)
            let cosines = try withoutGradient { () throws(ConcordError) in
                let vectors = try self(part).vectors.selected(axis: 1, at: 0)  // [rows, width]
                let own = targets.to(vectors.device).indexSelected(
                    axis: 0, Tensor(rows.map(Int64.init)).to(vectors.device))
                return (vectors * own.to(vectors.dtype)).sum(axes: [1]).to(.float64).scalars(as: Double.self)
            }
            for (row, cosine) in zip(rows, cosines) { scores[row][subset] = cosine }
        }
        return scores.enumerated().map { row, scores in
            let own = configuration.fusion.modalities.filter { batch.rows(with: [$0]).contains(row) }
            return ModalityAttribution(own, baseline: baseline) { scores[$0] ?? baseline }
        }
    }
}

/// The mean share that each modality has in the vectors of a model, by what rows have: the gates of a gated fusion.
public struct SharesByPattern: Sendable, Hashable {
    /// The rows that have the same modalities.
    public struct Pattern: Sendable, Hashable {
        public let present: [Modality]
        public internal(set) var count: Int
        /// The mean share of each of the model's modalities; those that are present add up to 1.
        public internal(set) var shares: [Modality: Double]
    }

    private var patterns: [[Modality]: Pattern] = [:]

    public init() {}

    /// Those that some row has, the fullest first.
    public var all: [Pattern] {
        patterns.values.sorted {
            (-$0.present.count, Modality.joined($0.present)) < (-$1.present.count, Modality.joined($1.present))
        }
    }

    /// Adds the rows of a batch.
    ///
    /// - Throws: as the model does; `.invalidConfiguration` for one whose combination has no shares.
    public mutating func add(_ batch: Batch, _ model: FusedModel) throws(ConcordError) {
        let modalities = model.configuration.fusion.modalities
        guard let shares = try withoutGradient({ () throws(ConcordError) in try model(batch).shares }) else {
            throw ConcordError(
                .invalidConfiguration,
                "the model combines modalities without shares; models that combine by mean, gated or attention have them"
            )
        }
        let values = shares.mean(axes: [1]).to(.float64).scalars(as: Double.self)
        let rows = modalities.map { Set(batch.rows(with: [$0])) }
        for row in 0..<batch.count {
            let present = zip(modalities, rows).filter { $1.contains(row) }.map(\.0)
            var pattern = patterns[present] ?? Pattern(present: present, count: 0, shares: [:])
            pattern.count += 1
            for (index, modality) in modalities.enumerated() {
                let mean = pattern.shares[modality] ?? 0
                pattern.shares[modality] =
                    mean + (values[row * modalities.count + index] - mean) / Double(pattern.count)
            }
            patterns[present] = pattern
        }
    }
}
