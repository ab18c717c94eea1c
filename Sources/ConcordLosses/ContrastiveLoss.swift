import ConcordCore
import ConcordTensor

// ConcordLosses: contrastive losses over embeddings. Start here, then read InfoNCE.swift; PairBatch.swift holds the
// inputs of a loss, RowBlock.swift the rules of labels and masks. Library has the losses without a training recipe.

/// A loss over pairs of embeddings: row `i` of one side belongs to row `i` of the other.
///
/// Its value is the mean over the whole batch, and its gradients are those of that mean, under every ``ScorePlan``.
public protocol ContrastiveLoss {
    /// The loss of a batch.
    ///
    /// - Returns: the loss `[]`, float32 or, for float64 embeddings, float64.
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue` or `.invalidArgument`, naming
    ///   argument, shape and index; `.missingPositive` when a loss that needs positives finds none in the whole batch;
    ///   `.processGroup` when another process fails.
    func callAsFunction(_ batch: PairBatch, plan: ScorePlan) throws(ConcordError) -> Tensor
}

extension ContrastiveLoss {
    /// The loss of a batch.
    ///
    /// - Parameters:
    ///   - first: embeddings `[count, width]`; scores are dot products, so give unit vectors for cosines.
    ///   - second: embeddings `[count, width]`.
    ///   - labels: int64 `[count]`; samples with the same label match, too. Nil makes each sample a class of its own.
    ///   - masks: positives and ignored pairs, given one by one.
    ///   - plan: the plan of the scores.
    /// - Returns: the loss `[]`, float32 or, for float64 embeddings, float64.
    /// - Throws: see the protocol's requirement.
    public func callAsFunction(
        _ first: Tensor, _ second: Tensor, labels: Tensor? = nil, masks: PairMasks = PairMasks(),
        plan: ScorePlan = .dense
    ) throws(ConcordError) -> Tensor {
        try self(PairBatch(first: first, second: second, labels: labels, masks: masks), plan: plan)
    }
}

/// A loss that is a sum over the rows of a batch, each row compared with all columns.
///
/// Implementing ``terms(rows:columns:block:)`` is all that a loss needs to run under every ``ScorePlan``: a plan calls
/// it with as many rows at a time as memory allows, and takes the gradients of each call by automatic differentiation.
public protocol RowwiseLoss: ContrastiveLoss {
    /// Learned tensors besides the embeddings, such as a logit scale.
    var parameters: [Tensor] { get }

    /// Whether the loss is the mean of both directions: first to second, and second to first.
    var isSymmetric: Bool { get }

    /// Whether a batch without any term, because no sample has a positive, is an error instead of a loss of 0.
    var needsPositives: Bool { get }

    /// Checks the loss's own settings.
    ///
    /// - Throws: `.invalidArgument`, `.shapeMismatch` or `.nonFiniteValue`.
    func checkSettings() throws(ConcordError)

    /// The terms of some rows.
    ///
    /// - Parameters:
    ///   - rows: embeddings `[rows, width]`, at least float32.
    ///   - columns: embeddings of the whole batch `[columns, width]`, at least float32.
    ///   - block: the rows' place in the batch, and which columns belong to them.
    /// - Returns: the sum of the terms, `[]`, differentiable; and the number of terms that the mean over the batch
    ///   divides by, `[]`, without gradient.
    func terms(rows: Tensor, columns: Tensor, block: RowBlock) -> (sum: Tensor, count: Tensor)
}

extension RowwiseLoss {
    public var parameters: [Tensor] { [] }
    public var isSymmetric: Bool { false }
    public var needsPositives: Bool { false }
    public func checkSettings() throws(ConcordError) {}

    /// The mean of the loss's terms over the batch, and over both directions if the loss is symmetric.
    public func callAsFunction(_ batch: PairBatch, plan: ScorePlan) throws(ConcordError) -> Tensor {
        try batch.check(plan, settings: checkSettings)
        return try withFullPrecision(on: batch.first.device) { () throws(ConcordError) in
            // At least float32; converted once, the gradients of all terms are added up in that type.
            let first = batch.first.precise
            let batch = PairBatch(
                first: first, second: batch.comparesWithItself ? first : batch.second.precise, labels: batch.labels,
                masks: batch.masks, comparesWithItself: batch.comparesWithItself)
            if let loss = self as? any LossByFormula, let value = try loss.byFormula(batch, plan) { return value }

            func mean(_ batch: PairBatch) throws(ConcordError) -> Tensor {
                switch plan {
                case .dense:
                    let all = RowBlock(
                        rows: 0..<batch.first.size(0), rowLabels: batch.labels, columnLabels: batch.labels,
                        comparesWithItself: batch.comparesWithItself, positives: batch.masks.positives,
                        ignored: batch.masks.ignored)
                    let result = terms(rows: batch.first, columns: batch.second, block: all)
                    let count = withoutGradient { result.count.item() }
                    try checkCount(count, batch)
                    return result.sum / max(count, 1)
                case .tiled(let rows): return try blockwise(batch, rows: rows, group: nil)
                case .gathered(let group, let rows): return try blockwise(batch, rows: rows, group: group)
                }
            }
            let forward = try mean(batch)
            guard isSymmetric, !batch.comparesWithItself else { return try LossInput.checkResult(forward) }
            return try LossInput.checkResult((forward + mean(batch.reversed(plan))) / 2)
        }
    }

    /// The loss of embeddings that are compared among themselves.
    ///
    /// - Parameters:
    ///   - embeddings: `[count, width]`.
    ///   - labels: int64 `[count]`.
    public func callAsFunction(
        _ embeddings: Tensor, labels: Tensor, plan: ScorePlan = .dense
    ) throws(ConcordError) -> Tensor {
        try self(PairBatch(embeddings, labels: labels), plan: plan)
    }

    /// The loss and its gradients, a block of rows at a time.
    private func blockwise(
        _ batch: PairBatch, rows blockRows: Int, group: ProcessGroup?
    ) throws(ConcordError) -> Tensor {
        let parameters = parameters.filter(\.requiresGradient)
        let needsGradient =
            isGradientEnabled
            && (batch.first.requiresGradient || batch.second.requiresGradient || !parameters.isEmpty)
        let rows = batch.first.detached()
        // [batch of all processes, width]
        let columns = try GatheredBatch(batch.second.detached(), labels: batch.labels, group)
        let device = rows.device
        let total = Tensor.zeros([2], dtype: device.kind == .mps ? .float32 : .float64, device: device)
        let rowGradient = Tensor.zeros(like: rows), columnGradient = Tensor.zeros(like: columns.vectors)
        let parameterGradients = parameters.map { Tensor.zeros($0.shape, dtype: $0.precise.dtype, device: $0.device) }

        for start in stride(from: 0, to: rows.size(0), by: blockRows) {
            let block = start..<min(start + blockRows, rows.size(0))
            let x = rows.narrowed(axis: 0, from: start, count: block.count).detached()
            let y = columns.vectors.detached()
            x.requiresGradient = needsGradient
            y.requiresGradient = needsGradient
            let part: (Tensor) -> Tensor = { $0.narrowed(axis: 0, from: start, count: block.count) }
            let first = columns.own.lowerBound + start
            let (sum, count) = terms(
                rows: x, columns: y,
                block: RowBlock(
                    rows: first..<first + block.count, rowLabels: batch.labels.map(part), columnLabels: columns.labels,
                    comparesWithItself: batch.comparesWithItself, positives: batch.masks.positives.map(part),
                    ignored: batch.masks.ignored.map(part)))
            withoutGradient { total.formAdd(Tensor.stacked([sum.detached().to(total.dtype), count.to(total.dtype)])) }
            // A block without any term, as of classes of one, may not depend on its rows at all.
            guard needsGradient, sum.requiresGradient else { continue }
            let gradients = Tensor.gradients(of: [sum], withRespectTo: [x, y] + parameters)
            withoutGradient {
                if let gradient = gradients[0] {
                    rowGradient.narrowed(axis: 0, from: start, count: block.count).copy(from: gradient)
                }
                if let gradient = gradients[1] { columnGradient.formAdd(gradient) }
                for (sum, gradient) in zip(parameterGradients, gradients.dropFirst(2)) {
                    if let gradient { sum.formAdd(gradient) }
                }
            }
        }

        try group?.allReduce(total)
        if needsGradient { try group?.allReduce(columnGradient) }
        let values = total.scalars(as: Double.self)
        try checkCount(values[1], batch)
        let count = max(values[1], 1)
        let value = Tensor(values[0] / count, dtype: rows.dtype, device: device)
        let own = columnGradient.narrowed(axis: 0, from: columns.own.lowerBound, count: columns.own.count)
        let gradients = [(batch.first, rowGradient), (batch.second, own)] + zip(parameters, parameterGradients)
        withoutGradient { for (_, gradient) in gradients { gradient.formMultiply(1 / count) } }
        return value.withGradients(gradients)
    }

    /// The mean of the terms of all rows of a batch without labels and masks, differentiable as often as you like.
    func wholeMean(_ first: Tensor, _ second: Tensor) -> Tensor {
        let all = RowBlock(
            rows: 0..<first.size(0), rowLabels: nil, columnLabels: nil, comparesWithItself: false)
        let result = terms(rows: first, columns: second, block: all)
        return result.sum / result.count.clamped(min: 1).to(result.sum.dtype)
    }

    private func checkCount(_ count: Double, _ batch: PairBatch) throws(ConcordError) {
        guard needsPositives, count == 0 else { return }
        guard batch.masks.isEmpty else {
            throw ConcordError(
                .missingPositive,
                "masks of \(batch.first.size(0)) rows leave every anchor of the batch without a positive or without a "
                    + "negative; mark a pair as positive that is not ignored, and leave one that is neither")
        }
        let cause = batch.labels.map { "labels of shape \($0.shape)" } ?? "a batch of shape \(batch.first.shape)"
        throw ConcordError(
            .missingPositive,
            "\(cause) leaves every anchor of the batch without a positive or without a negative; draw at least two "
                + "samples of a class into a batch, and two classes")
    }
}

/// A loss that has, for some batches, a formula for its value and its gradients, which is faster.
protocol LossByFormula: RowwiseLoss {
    /// The loss of a batch; nil where the formula does not hold.
    func byFormula(_ batch: PairBatch, _ plan: ScorePlan) throws(ConcordError) -> Tensor?
}
