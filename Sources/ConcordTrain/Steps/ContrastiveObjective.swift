import ConcordCore
import ConcordLosses
import ConcordModels
import ConcordTensor

/// Pulls the vectors of two modalities together in the rows that have both, and others apart, by any contrastive loss.
///
/// A row's views are compared in pairs: the first of one modality with the first of the other, and so on; one view
/// stands for all where the other modality has several, as an image with several captions. The term is the mean over
/// the pairs of views, each a mean over the batch of all processes. Where the batch has groups, the loss says what values
/// of one group are to each other.
public struct ContrastiveObjective: TrainingObjective {
    private let loss: any ContrastiveLoss
    private let first, second: Modality
    private let weight: Double
    private let widths: [Int]
    private let name: String

    /// - Parameters:
    ///   - matryoshkaWidths: leading columns of the embeddings over which the loss is averaged (Kusupati et al. 2022);
    ///     empty compares the whole embeddings alone.
    ///   - name: of the term, and a suffix of what is measured where it is not the default.
    public init(
        _ loss: any ContrastiveLoss, between first: Modality = .image, and second: Modality = .text,
        weight: Double = 1, matryoshkaWidths: [Int] = [], name: String = "contrastive"
    ) {
        self.loss = loss
        self.first = first
        self.second = second
        self.weight = weight
        widths = matryoshkaWidths
        self.name = name
    }

    public var outputs: Set<ModelOutput> { [.embedding(first), .embedding(second)] }

    public func terms(_ pass: ForwardPass) throws(ConcordError) -> [LossTerm] {
        let pairs = try pairs(pass)
        guard let pairs else { return [] }
        var total = Tensor(0)
        for pair in pairs { total = total + (try compare(pair, pass.scores)) / Double(pairs.count) }
        return [LossTerm(name, total, weight: weight)]
    }

    private func compare(_ pair: Pair, _ plan: ScorePlan) throws(ConcordError) -> Tensor {
        guard !widths.isEmpty else { return try loss(pair.first, pair.second, labels: pair.groups, plan: plan) }
        // The mean, so that values and learning rates are those of the plain loss.
        return try matryoshkaLoss(
            embeddings: [pair.first, pair.second], dimensions: widths,
            weights: widths.map { _ in 1 / Double(widths.count) }
        ) { cut throws(ConcordError) in
            try loss(cut[0], cut[1], labels: pair.groups, plan: plan)
        }
    }

    /// A view of both modalities: unit vectors `[rows, width]`, and what says the same, int64 `[rows]`.
    private struct Pair {
        let first, second: Tensor
        let groups: Tensor?
    }

    /// The pairs of views; nil when no row of any process has both modalities.
    private func pairs(_ pass: ForwardPass) throws(ConcordError) -> [Pair]? {
        guard pass.group != nil || (pass[.embedding(first)] != nil && pass[.embedding(second)] != nil) else {
            return nil
        }
        let one = try pass.embeddings(of: first), other = try pass.embeddings(of: second)
        let known = Set(other.rows), rows = one.rows.filter(known.contains)
        let (x, y) = (one.selecting(rows), other.selecting(rows))  // [rows, views, width]
        let own = groups(pass, rows)?.to(x.device)  // [rows, views]
        var views = rows.isEmpty ? (0, 0) : (x.size(1), y.size(1)), hasGroups = own != nil
        if let group = pass.group {
            // A process without such rows takes part in what the others compare.
            views = (try group.largest(views.0), try group.largest(views.1))
            hasGroups = try group.largest(hasGroups ? 1 : 0) > 0
        }
        let count = max(views.0, views.1)
        guard count > 0 else { return nil }
        guard rows.isEmpty || views == (x.size(1), y.size(1)), views.0 == views.1 || min(views.0, views.1) == 1 else {
            throw ConcordError(
                .shapeMismatch,
                "\(x.size(1)) views of \(first) cannot be paired with \(y.size(1)) of \(second); give as many, or one of "
                    + "one, and the same in all processes")
        }
        let groups = own ?? (hasGroups && rows.isEmpty ? .zeros([0, 1], dtype: .int64, device: x.device) : nil)
        return (0..<count).map { view in
            func part(_ values: Tensor) -> Tensor { values.selected(axis: 1, at: min(view, values.size(1) - 1)) }
            return Pair(first: part(x), second: part(y), groups: groups.map(part))
        }
    }

    private func groups(_ pass: ForwardPass, _ rows: [Int]) -> Tensor? {
        // The target of a query is made of modalities that the batch has under other names.
        let parts = [second, first].contains(.target) ? pass.batch.present.filter(\.isTarget) : []
        for modality in [second, first] + parts {
            guard let values = pass.batch[modality], let groups = values.groups else { continue }
            let all = ForwardPass.RowValues(values: groups, rows: values.rows ?? Array(0..<groups.size(0)))
            // Rows without this part of a target have no group to compare.
            guard Set(rows).isSubset(of: all.rows) else { continue }
            return all.selecting(rows)
        }
        return nil
    }

    public func measurements(_ pass: ForwardPass, terms: [LossTerm]) throws(ConcordError) -> TrainingMeasurements {
        guard let pairs = try pairs(pass), let term = terms.first else { return TrainingMeasurements() }
        var reports = [ContrastiveReport]()
        for pair in pairs {
            guard let group = pass.group else {
                reports.append(try ContrastiveReport(pair.first, pair.second, labels: pair.groups))
                continue
            }
            let first = try group.gatherRows(pair.first).all, second = try group.gatherRows(pair.second).all
            let groups = try pair.groups.map { groups throws(ConcordError) in try group.gatherRows(groups).all }
            // One process measures for all.
            if group.rank == 0 { reports.append(try ContrastiveReport(first, second, labels: groups)) }
        }
        guard !reports.isEmpty else { return TrainingMeasurements() }
        return measurements(reports, guessingLoss: costsLnNToGuess ? term.value.item() : nil)
    }

    /// The means over the pairs of views.
    private func measurements(_ reports: [ContrastiveReport], guessingLoss: Double?) -> TrainingMeasurements {
        func mean(_ value: (ContrastiveReport) -> Double) -> Double {
            reports.map(value).reduce(0, +) / Double(reports.count)
        }
        let suffix = name == "contrastive" ? "" : "_" + name
        var result = TrainingMeasurements([
            ("accuracy" + suffix, mean(\.accuracy)), ("positive_cosine" + suffix, mean(\.positiveCosine)),
            ("negative_cosine" + suffix, mean(\.negativeCosine)), ("ln_n" + suffix, mean(\.lnN)),
            ("alignment" + suffix, mean(\.alignment)), ("uniformity_\(first)" + suffix, mean(\.first.uniformity)),
            ("uniformity_\(second)" + suffix, mean(\.second.uniformity)),
        ])
        func noun(_ modality: Modality) -> String { modality == .text ? "caption" : modality.name }
        result.warnings = reports.flatMap {
            $0.warnings(loss: guessingLoss, firstName: noun(first), secondName: noun(second))
        }
        return result
    }

    /// Whether a model that guesses has a loss of ln N.
    private var costsLnNToGuess: Bool {
        guard let loss = loss as? InfoNCE else { return false }
        return loss.hardness == 0 && !loss.isDecoupled
    }
}

extension ForwardPass.RowValues {
    /// The values of some of the rows, `[wanted, views, …]`.
    func selecting(_ wanted: [Int]) -> Tensor {
        guard rows != wanted else { return values }
        let places = Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($1, Int64($0)) })
        return values.indexSelected(axis: 0, Tensor(wanted.compactMap { places[$0] }).to(values.device))
    }
}
