import ConcordCore
import ConcordTensor

/// A loss over pairs of embeddings: row `i` of one side belongs to row `i` of the other.
///
/// Its value is the mean over the whole batch, and its gradients are those of that mean, whatever the ``ScorePlan``.
public protocol ContrastiveLoss {
    /// The loss of a batch.
    ///
    /// - Parameters:
    ///   - first: embeddings `[count, width]`; scores are dot products, so give unit vectors for cosines.
    ///   - second: embeddings `[count, width]`.
    ///   - labels: int64 `[count]`; samples with the same label match, too. Nil makes each sample a class of its own.
    ///   - masks: pairs that the loss is told about one by one.
    ///   - plan: how the scores are computed.
    /// - Returns: the loss `[]`, float32 or, for float64 embeddings, float64.
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue` or `.invalidArgument`, naming
    ///   argument, shape and index; `.missingPositive` when a loss that needs positives finds none in the whole batch;
    ///   `.processGroup` when another process fails.
    func callAsFunction(
        _ first: Tensor, _ second: Tensor, labels: Tensor?, masks: PairMasks, plan: ScorePlan
    ) throws(ConcordError) -> Tensor
}

extension ContrastiveLoss {
    /// The loss of a batch; see the protocol's requirement.
    public func callAsFunction(
        _ first: Tensor, _ second: Tensor, labels: Tensor? = nil, plan: ScorePlan = .dense
    ) throws(ConcordError) -> Tensor {
        try self(first, second, labels: labels, masks: PairMasks(), plan: plan)
    }
}

/// A loss that is a sum over the rows of a batch, each row compared with all columns.
///
/// Conforming is all that a loss needs to run under every ``ScorePlan``: a plan calls it with as many rows at a time as
/// memory allows, and takes the gradients of each call by automatic differentiation.
public protocol RowwiseLoss: ContrastiveLoss {
    /// Tensors besides the embeddings that gradients flow to, such as a logit scale.
    var parameters: [Tensor] { get }

    /// Whether the second embeddings are compared with the first, too, and the mean of both losses is taken.
    var isSymmetric: Bool { get }

    /// Whether a batch in which no term counts is an error, because its samples have no positives, or a loss of 0.
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
    ///   - block: where the rows stand in the batch, and which columns belong to them.
    /// - Returns: the sum of the terms, `[]`, differentiable; and how many terms the mean over the batch counts, `[]`,
    ///   without gradient.
    func terms(rows: Tensor, columns: Tensor, block: RowBlock) -> (sum: Tensor, count: Tensor)
}

extension RowwiseLoss {
    public var parameters: [Tensor] { [] }
    public var isSymmetric: Bool { false }
    public var needsPositives: Bool { false }
    public func checkSettings() throws(ConcordError) {}
}

extension RowwiseLoss {
    public func callAsFunction(
        _ first: Tensor, _ second: Tensor, labels: Tensor?, masks: PairMasks, plan: ScorePlan
    ) throws(ConcordError) -> Tensor {
        try mean(PairBatch(first: first, second: second, labels: labels, masks: masks), plan)
    }

    /// The loss of embeddings that are compared among themselves: `[count, width]` with labels `[count]`.
    public func callAsFunction(
        _ embeddings: Tensor, labels: Tensor, plan: ScorePlan = .dense
    ) throws(ConcordError) -> Tensor {
        try mean(PairBatch(embeddings, labels: labels), plan)
    }

    func mean(_ batch: PairBatch, _ plan: ScorePlan) throws(ConcordError) -> Tensor {
        try batch.check(plan, settings: checkSettings)
        return try withFullPrecision(on: batch.first.device) { () throws(ConcordError) in
            let batch = batch.precise
            let forward = try meanOfRows(batch, plan)
            guard isSymmetric, !batch.comparesWithItself else { return try LossInput.checkResult(forward) }
            return try LossInput.checkResult((forward + meanOfRows(batch.reversed(plan), plan)) / 2)
        }
    }

    private func meanOfRows(_ batch: PairBatch, _ plan: ScorePlan) throws(ConcordError) -> Tensor {
        switch plan {
        case .dense:
            let all = 0..<batch.first.size(0)
            let result = terms(
                rows: batch.first, columns: batch.second,
                block: batch.block(all, rowLabels: batch.labels, columnLabels: batch.labels, offset: 0))
            let count = withoutGradient { result.count.item() }
            try checkCount(count, batch)
            return result.sum / max(count, 1)
        case .tiled(let rows):
            return try blockwise(batch, rows: rows, group: nil)
        case .gathered(let group, let rows):
            return try blockwise(batch, rows: rows, group: group)
        }
    }

    /// Loss and gradients, block of rows by block of rows.
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
            let place = batch.block(
                block,
                rowLabels: batch.labels?.narrowed(axis: 0, from: start, count: block.count),
                columnLabels: columns.labels, offset: columns.own.lowerBound)
            let (sum, count) = terms(rows: x, columns: y, block: place)
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
