import ConcordCore
import ConcordModels
import ConcordNN
import ConcordTensor

/// The cross-entropy of a model's class scores, ``ConcordModels/ModelOutput/logits``.
///
/// The batch has classes as the modality `label`: int64 `[rows]`, of the rows that have one. The term is the mean over
/// such rows of all processes.
public struct ClassificationObjective: TrainingObjective {
    public let outputs: Set<ModelOutput> = [.logits]
    private let weight, labelSmoothing: Double

    /// - Parameter labelSmoothing: the share of probability that is spread evenly over the classes, 0..<1.
    public init(weight: Double = 1, labelSmoothing: Double = 0) {
        self.weight = weight
        self.labelSmoothing = labelSmoothing
    }

    public func terms(_ pass: ForwardPass) throws(ConcordError) -> [LossTerm] {
        let labeled = try labeled(pass)
        let count =
            try pass.group?.sum([Double(labeled?.labels.size(0) ?? 0)])[0] ?? Double(labeled?.labels.size(0) ?? 0)
        guard count > 0 else { return [] }
        let part =
            labeled.map {
                Tensor.crossEntropy(
                    $0.logits, targets: $0.labels, reduction: .sum, labelSmoothing: labelSmoothing) / count
            } ?? Tensor(0, dtype: pass.outputDType, device: pass.model.store.device)
        guard let group = pass.group else { return [LossTerm("class", part, weight: weight)] }
        // The value is the whole mean; the gradient is this process's part of it.
        let own = withoutGradient { part.item() }
        return [LossTerm("class", part + (try group.sum([own])[0] - own), weight: weight)]
    }

    public func measurements(_ pass: ForwardPass, terms: [LossTerm]) throws(ConcordError) -> TrainingMeasurements {
        guard !terms.isEmpty else { return TrainingMeasurements() }
        let labeled = try labeled(pass)
        let hits = withoutGradient { labeled.map { $0.logits.argmax(axis: 1).equal(to: $0.labels).sum().item() } ?? 0 }
        var values = [hits, Double(labeled?.labels.size(0) ?? 0)]
        if let group = pass.group { values = try group.sum(values) }
        return TrainingMeasurements([("class_accuracy", values[0] / values[1])])
    }

    /// The scores `[rows · views, classes]` and classes `[rows · views]` of the rows that have both.
    ///
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch` or `.invalidArgument` for labels that are no classes.
    private func labeled(_ pass: ForwardPass) throws(ConcordError) -> (logits: Tensor, labels: Tensor)? {
        guard let logits = pass[.logits], let batch = pass.batch[.label] else { return nil }
        let all = ForwardPass.RowValues(values: batch.values, rows: batch.rows ?? Array(0..<batch.values.size(0)))
        guard all.values.shape.count == 2, all.values.size(1) == 1 else {
            throw ConcordError(
                .shapeMismatch, "labels have shape \(all.values.shape); they must be [rows], one of a row")
        }
        guard all.values.dtype == .int64 else {
            throw ConcordError(.dtypeMismatch, "labels are \(all.values.dtype.rawValue); they must be int64")
        }
        let known = Set(all.rows), rows = logits.rows.filter(known.contains)
        guard !rows.isEmpty else { return nil }
        let scores = logits.selecting(rows), views = scores.size(1), classes = scores.size(2)
        let labels = all.selecting(rows).to(scores.device)  // [rows, 1]
        guard labels.min().item() >= 0, labels.max().item() < Double(classes) else {
            throw ConcordError(
                .invalidArgument,
                "labels are \(Int(labels.min().item())) to \(Int(labels.max().item())); the model has \(classes) classes, "
                    + "numbered from 0")
        }
        return (scores.flattened(to: 1), labels.expanded(to: [rows.count, views]).reshaped([-1]))
    }
}

extension Modality {
    /// The class of a row, a number from 0.
    public static let label: Modality = "label"
}
