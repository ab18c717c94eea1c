import ConcordCore
import ConcordTensor

/// The cross-entropy of a language head's next tokens, without ever storing the scores of all of them.
///
/// Without smoothing it is this, which the tests hold it to:
/// ```swift
/// func plainCaptionLoss(states: Tensor, head: Tensor, labels: Tensor, ignoredLabel: Int) -> Tensor {
///     let scores = states.matmul(head.transposed(0, 1))  // [captions, tokens, vocabulary]
///     return Tensor.crossEntropy(
///         scores.reshaped([-1, head.size(0)]), targets: labels.reshaped([-1]), ignoreIndex: ignoredLabel)
/// }
/// ```
/// Here the head's product and the cross-entropy run over a block of tokens at a time, and the gradients, which have a
/// closed form, come with the loss: for 64 captions of 75 tokens and a vocabulary of 49,408 that saves the 0.9 GB of
/// the scores and as much for each copy. Ignored tokens are left out before the product. Second derivatives are not
/// supported: asking for them is a failed tensor operation.
public struct CaptionLoss: Sendable {
    /// The label that is ignored: the pad token.
    package var ignoredLabel = 0
    /// Share of the probability that is spread evenly over the vocabulary, 0..<1 (Szegedy et al. 2016).
    package var labelSmoothing = 0.0
    /// Tokens of a block; the scores of a block are `[blockTokens, vocabulary]`.
    package var blockTokens = 256

    public init(ignoredLabel: Int = 0, labelSmoothing: Double = 0) {
        self.ignoredLabel = ignoredLabel
        self.labelSmoothing = labelSmoothing
    }

    /// The mean over all tokens that are not ignored, of all processes if there are several.
    ///
    /// Captions of a batch have different lengths, and a process with few tokens weighs little: the mean is over
    /// tokens, neither over captions nor over the processes' means. Gradients are as ``ScorePlan`` says: that of the
    /// head is this process's part, to be summed over the processes; that of the states is whole.
    ///
    /// - Parameters:
    ///   - states: inputs of the head, `[…, width]`, of a floating-point type.
    ///   - head: the weight of the language head `[vocabulary, width]`.
    ///   - labels: the next tokens, int64 `[…]`, as many as states.
    ///   - group: the processes that share the batch; nil for one.
    /// - Returns: the loss `[]`, float32 or, for float64 states, float64.
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch` when no token counts, `.invalidArgument` for a label
    ///   outside the vocabulary and for settings without a meaning, `.nonFiniteValue`; `.processGroup` when another
    ///   process fails.
    public func callAsFunction(
        states: Tensor, head: Tensor, labels: Tensor, group: ProcessGroup? = nil
    ) throws(ConcordError) -> Tensor {
        var failure: ConcordError?
        do throws(ConcordError) { try check(states, head, labels) } catch { failure = error }
        if let group { _ = try group.agree(rows: 0, failure: failure) } else if let failure { throw failure }
        return try withFullPrecision(on: states.device) { () throws(ConcordError) in
            try mean(states, head, labels, group)
        }
    }

    private func mean(
        _ states: Tensor, _ head: Tensor, _ labels: Tensor, _ group: ProcessGroup?
    ) throws(ConcordError) -> Tensor {
        let needsStates = isGradientEnabled && states.requiresGradient
        let needsHead = isGradientEnabled && head.requiresGradient
        let width = head.size(1), weight = head.detached().precise
        let places = withoutGradient {  // of the tokens that count, in [tokens]
            labels.reshaped([-1]).notEqual(to: Double(ignoredLabel)).nonzero().reshaped([-1])
        }
        let rows = states.detached().reshaped([-1, width])
        let total = Tensor.zeros(
            [2], dtype: states.device.kind == .mps ? .float32 : .float64, device: states.device)
        let stateGradient = needsStates ? Tensor.zeros(rows.shape, dtype: weight.dtype, device: rows.device) : nil
        let headGradient = needsHead ? Tensor.zeros(like: weight) : nil
        withoutGradient {
            for start in stride(from: 0, to: places.size(0), by: blockTokens) {
                let end = min(start + blockTokens, places.size(0))
                let block = places.narrowed(axis: 0, from: start, count: end - start)
                let x = rows.indexSelected(axis: 0, block).precise  // [n, C]
                let target = labels.reshaped([-1]).indexSelected(axis: 0, block)  // [n]
                let (sum, slopes) = terms(x, weight, target, needsSlopes: needsStates || needsHead)
                let count = Tensor.full([], Double(block.size(0)), dtype: total.dtype, device: total.device)
                total.formAdd(.stacked([sum.to(total.dtype), count]))
                guard let slopes else { continue }
                stateGradient?.formIndexCopy(axis: 0, block, slopes.matmul(weight))
                headGradient?.formAddMatrixProduct(of: slopes.transposed(0, 1), x)
            }
        }
        try group?.allReduce(total)
        let values = total.scalars(as: Double.self)
        guard values[1] > 0 else {
            throw ConcordError(
                .emptyBatch,
                "all labels of shape \(labels.shape) are \(ignoredLabel), which does not count; leave such a batch out")
        }
        if !values[0].isFinite { try LossInput.checkFinite(head, "head") }
        let value = try LossInput.checkResult(
            Tensor(values[0] / values[1], dtype: weight.dtype, device: states.device))
        var gradients = [(input: Tensor, gradient: Tensor)]()
        if let stateGradient { gradients.append((states, stateGradient.reshaped(states.shape))) }
        if let headGradient { gradients.append((head, headGradient)) }
        withoutGradient { for (_, gradient) in gradients { gradient.formMultiply(1 / values[1]) } }
        return value.withGradients(gradients)
    }

    /// The sum of a block's cross-entropies, and its slopes in the scores, `[n, vocabulary]`.
    private func terms(
        _ x: Tensor, _ weight: Tensor, _ target: Tensor, needsSlopes: Bool
    ) -> (sum: Tensor, slopes: Tensor?) {
        let scores = x.matmul(weight.transposed(0, 1))  // [n, V]
        let vocabulary = weight.size(0), even = labelSmoothing / Double(vocabulary)
        // In place, the scores become probabilities minus what the labels ask for. The largest score cancels; taken off
        // first, it takes no digits from what is small beside it.
        scores.formAdd(scores.max(axes: [1], keepingAxes: true), scale: -1)
        var matched = scores.gathered(axis: 1, target.unsqueezed(1)).sum() * (1 - labelSmoothing)
        if labelSmoothing > 0 { matched = matched + even * scores.sum() }
        scores.formExp()
        let sums = scores.sum(axes: [1], keepingAxes: true)  // [n, 1]
        let sum = sums.log().sum() - matched
        guard needsSlopes else { return (sum, nil) }
        scores.formMultiply(sums.reciprocal())
        if labelSmoothing > 0 { scores.formAdd(-even) }
        let count = target.size(0)
        // The places of the labels in [n · V].
        let own =
            Tensor.arange(0, Double(count * vocabulary), step: Double(vocabulary), device: target.device) + target
        scores.reshaped([-1]).formIndexAdd(
            axis: 0, own, .full([count], labelSmoothing - 1, dtype: scores.dtype, device: scores.device))
        return (sum, scores)
    }

    private func check(_ states: Tensor, _ head: Tensor, _ labels: Tensor) throws(ConcordError) {
        guard (0..<1).contains(labelSmoothing) else {
            throw ConcordError(.invalidArgument, "labelSmoothing is \(labelSmoothing); it must be in 0..<1")
        }
        guard blockTokens > 0 else {
            throw ConcordError(.invalidArgument, "blockTokens is \(blockTokens); it must be at least 1")
        }
        try LossInput.checkVectors(head, "head")
        try LossInput.checkNotEmpty(head, "head")
        guard states.shape.count > 1 else {
            throw ConcordError(.shapeMismatch, "states has shape \(states.shape); it must be […, width]")
        }
        try LossInput.checkVectors(states, "states", rank: states.shape.count)
        try LossInput.checkComparable(states, "states", head, "head")
        guard labels.shape == Array(states.shape.dropLast()) else {
            throw ConcordError(
                .shapeMismatch,
                "labels has shape \(labels.shape); states of shape \(states.shape) need "
                    + "\(Array(states.shape.dropLast()))")
        }
        guard labels.dtype == .int64, labels.device == states.device else {
            throw ConcordError(
                .dtypeMismatch,
                "labels is \(labels.dtype.rawValue) on \(labels.device); it must be int64 on \(states.device)")
        }
        guard labels.scalarCount > 0 else { return }
        try LossInput.checkFinite(states, "states")
        try checkTokens(labels, vocabulary: head.size(0))
    }

    private func checkTokens(_ labels: Tensor, vocabulary: Int) throws(ConcordError) {
        guard labels.min().item() < 0 || labels.max().item() >= Double(vocabulary) else { return }
        let values = labels.reshaped([-1]).scalars(as: Int.self)
        guard let place = values.firstIndex(where: { $0 != ignoredLabel && !(0..<vocabulary).contains($0) })
        else { return }
        let index = labels.shape.reversed().reduce((place, [Int]())) { rest, size in
            (rest.0 / size, [rest.0 % size] + rest.1)
        }.1
        throw ConcordError(
            .invalidArgument,
            "labels of shape \(labels.shape) holds \(values[place]) at \(index); with a vocabulary of \(vocabulary) it "
                + "must be in 0..<\(vocabulary), or \(ignoredLabel), which does not count")
    }
}
