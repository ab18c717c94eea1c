import ConcordCore
import ConcordTensor

/// Aligns any number of modalities in one call: the weighted mean of a contrastive loss over all pairs of them.
///
/// A pair is compared over the samples that have both modalities, so a sample with an image and a sound but no text
/// still counts for that pair (ImageBind, Girdhar et al. 2023, aligns all to one; give the other pairs weight 0 for
/// that). A pair that no sample of the batch has counts for nothing.
///
/// - Parameters:
///   - modalities: at least two, with different names, over the same samples.
///   - weights: weights of pairs, at least 0; pairs that are not named have weight 1.
///   - labels: int64 `[count]`; see ``ContrastiveLoss``.
///   - plan: the plan of the scores.
///   - loss: the loss of a pair; pairs may share a logit scale or have one each.
/// - Returns: the loss `[]`.
/// - Throws: the errors of ``ContrastiveLoss``; `.invalidArgument` for names and weights, `.emptyBatch` when no sample
///   has two modalities of a pair that counts.
public func modalityAlignmentLoss(
    _ modalities: [ModalityEmbeddings], weights: [ModalityPair: Double] = [:], labels: Tensor? = nil,
    plan: ScorePlan = .dense, loss: (ModalityPair) -> any ContrastiveLoss
) throws(ConcordError) -> Tensor {
    try plan.agreed { () throws(ConcordError) in try check(modalities, weights) }
    var total: Tensor?
    var totalWeight = 0.0
    for (index, first) in modalities.enumerated() {
        for second in modalities[(index + 1)...] {
            let pair = ModalityPair(first.name, second.name)
            let weight = weights[pair] ?? 1
            guard weight > 0 else { continue }
            let shared = common(first, second)
            guard try plan.count(shared?.size(0) ?? first.embeddings.size(0)) > 0 else { continue }
            func rows(_ tensor: Tensor) -> Tensor { shared.map { tensor.indexSelected(axis: 0, $0) } ?? tensor }
            let objective = loss(pair)
            let value = try objective(
                rows(first.embeddings), rows(second.embeddings), labels: labels.map(rows), masks: PairMasks(),
                plan: plan)
            total = total.map { $0 + value * weight } ?? value * weight
            totalWeight += weight
        }
    }
    guard let total else {
        throw ConcordError(
            .emptyBatch,
            "no sample of the batch has both modalities of a pair with weight above 0 among "
                + modalities.map(\.name).joined(separator: ", "))
    }
    return total / totalWeight
}

/// The indices of the samples that have both, int64 `[shared]`; nil for all.
private func common(_ first: ModalityEmbeddings, _ second: ModalityEmbeddings) -> Tensor? {
    switch (first.isPresent, second.isPresent) {
    case (let one?, let other?): one.logicalAnd(other).nonzero().squeezed(1)
    case (let one?, nil), (nil, let one?): one.nonzero().squeezed(1)
    case (nil, nil): nil
    }
}

private func check(_ modalities: [ModalityEmbeddings], _ weights: [ModalityPair: Double]) throws(ConcordError) {
    guard modalities.count > 1 else {
        throw ConcordError(.invalidArgument, "\(modalities.count) modalities; aligning takes at least two")
    }
    var names = Set<String>()
    for modality in modalities {
        guard names.insert(modality.name).inserted else {
            throw ConcordError(.invalidArgument, "two modalities have the name \(modality.name)")
        }
        try LossInput.checkVectors(modality.embeddings, modality.name)
        try LossInput.checkSameWidth(
            modalities[0].embeddings, modalities[0].name, modality.embeddings, modality.name)
        let shape = modality.embeddings.shape
        guard shape[0] == modalities[0].embeddings.size(0) else {
            throw ConcordError(
                .shapeMismatch,
                "\(modality.name) has shape \(shape) and \(modalities[0].name) \(modalities[0].embeddings.shape); give "
                    + "every modality a row for each sample, and say which are missing by isPresent")
        }
        if let present = modality.isPresent {
            guard present.shape == [shape[0]] else {
                throw ConcordError(
                    .shapeMismatch, "isPresent of \(modality.name) has shape \(present.shape); it must be [\(shape[0])]"
                )
            }
            guard present.dtype == .bool else {
                throw ConcordError(
                    .dtypeMismatch,
                    "isPresent of \(modality.name) of shape \(present.shape) is \(present.dtype.rawValue); it must be "
                        + "bool")
            }
        }
    }
    for (pair, weight) in weights {
        guard names.contains(pair.first), names.contains(pair.second), pair.first != pair.second else {
            throw ConcordError(
                .invalidArgument,
                "weights names the pair \(pair); the modalities are \(names.sorted().joined(separator: ", "))")
        }
        try LossInput.checkNumber(weight, "the weight of \(pair)", 0...)
    }
}

extension ScorePlan {
    /// The number of samples of all processes together.
    fileprivate func count(_ own: Int) throws(ConcordError) -> Int {
        guard case .gathered(let group, _) = self else { return own }
        let sum = Tensor([own])
        try group.allReduce(sum)
        return Int(sum.item())
    }
}

/// The embeddings of one modality in a batch, of which some may be missing.
public struct ModalityEmbeddings {
    /// The modality's name in errors and weights, such as `image`.
    package let name: String
    /// A row for each sample of the batch, `[count, width]`; rows of missing samples may hold anything.
    package let embeddings: Tensor
    /// Mask of the samples that have this modality, bool `[count]`; nil for all.
    package let isPresent: Tensor?

    public init(_ name: String, _ embeddings: Tensor, isPresent: Tensor? = nil) {
        self.name = name
        self.embeddings = embeddings
        self.isPresent = isPresent
    }
}

/// Two modalities, in either order.
public struct ModalityPair: Hashable, Sendable, CustomStringConvertible {
    /// The names, in alphabetical order.
    public let first, second: String

    public init(_ one: String, _ other: String) {
        first = min(one, other)
        second = max(one, other)
    }

    public var description: String { "\(first)–\(second)" }
}
