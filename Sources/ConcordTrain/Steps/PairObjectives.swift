import ConcordCore
import ConcordLosses

/// An ordered pair of modalities: the first one's vectors look for the second one's.
public struct ModalityPair: Sendable, Hashable, Comparable {
    public let query, answer: Modality

    public init(_ query: Modality, _ answer: Modality) {
        self.query = query
        self.answer = answer
    }

    package var reversed: ModalityPair { ModalityPair(answer, query) }

    public static func < (first: ModalityPair, second: ModalityPair) -> Bool {
        (first.query, first.answer) < (second.query, second.answer)
    }
}

extension ContrastiveObjective {
    /// The objectives of ordered pairs of modalities, each with its weight: `[.init(.image, .audio): 1]` has pictures look
    /// for sounds.
    ///
    /// A row counts in a pair when it has both modalities, and the term is the mean over such rows of all processes: one
    /// with few of them weighs little. Two directions of the same weight are one symmetric term.
    ///
    /// - Throws: `.invalidArgument` for a weight below 0 or of a modality with itself.
    public static func pairs(
        _ weights: [ModalityPair: Double], loss: InfoNCE
    ) throws(ConcordError) -> [ContrastiveObjective] {
        var objectives = [ContrastiveObjective]()
        for (pair, weight) in weights.sorted(by: { $0.key < $1.key }) {
            guard weight >= 0, weight.isFinite, pair.query != pair.answer else {
                throw ConcordError(
                    .invalidArgument,
                    "the pair \(pair.query) → \(pair.answer) has the weight \(weight); a pair is of two modalities, and its "
                        + "weight a number of at least 0")
            }
            guard weight > 0 else { continue }
            let isSymmetric = weights[pair.reversed] == weight
            guard !isSymmetric || pair < pair.reversed else { continue }
            var direction = loss
            direction.isSymmetric = isSymmetric
            // A symmetric loss is the mean of its directions.
            objectives.append(
                ContrastiveObjective(
                    direction, between: pair.query, and: pair.answer, weight: isSymmetric ? 2 * weight : weight,
                    name: "\(pair.query)_\(isSymmetric ? "" : "to_")\(pair.answer)"))
        }
        return objectives
    }

    /// Has what a model makes of a query, such as a picture and words, find its target: `.fused` against `.target` of a
    /// ``ConcordModels/FusedModel``.
    ///
    /// The batch has the query's modalities under their names, and the target's as ``ConcordCore/Modality/target(_:)``.
    public static func composedRetrieval(_ loss: any ContrastiveLoss, weight: Double = 1) -> ContrastiveObjective {
        ContrastiveObjective(loss, between: .fused, and: .target, weight: weight, name: "composed")
    }
}
