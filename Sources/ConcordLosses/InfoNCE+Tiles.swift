import ConcordCore
import ConcordTensor

// The symmetric loss without labels or masks, which most models are trained with: both directions from one product of
// each tile, and gradients by formula. Four products of matrices where automatic differentiation of both directions
// takes six, and no matrix of all scores.
//
// With logits z = s · x·yᵀ of N samples, r and c the log-sum-exps of rows and columns, and smoothing e:
//   loss  = Σᵢ (rᵢ + cᵢ) / 2N − (1 − e) Σᵢ zᵢᵢ / N − e Σᵢⱼ zᵢⱼ / N²
//   dzᵢⱼ  = (exp(zᵢⱼ − rᵢ) + exp(zᵢⱼ − cⱼ)) / 2N − (1 − e) δᵢⱼ / N − e / N²
//
// In float32 a logit of 100 is known to 4e-6, and every sum that it enters loses the digits below. So the numbers that
// cancel are never added up in the first place: of r and c the largest logit and the sum of exponentials relative to it
// stay apart, and the matching pairs are left out of the sums. The probability of all others is then known to the last
// digit, where 1 minus that of the matching pair would be rounding once a batch is learned.
extension InfoNCE: LossByFormula {
    func byFormula(_ batch: PairBatch, _ plan: ScorePlan) throws(ConcordError) -> Tensor? {
        guard isSymmetric, !batch.comparesWithItself, !isDecoupled, hardness == 0, batch.masks.isEmpty,
            batch.labels == nil || duplicates == .negatives
        else { return nil }
        switch plan {
        case .dense: return nil
        case .tiled(let rows): return try tiles(batch, blockRows: rows, nil)
        case .gathered(let group, let rows): return try tiles(batch, blockRows: rows, group)
        }
    }

    private func tiles(
        _ batch: PairBatch, blockRows: Int, _ group: ProcessGroup?
    ) throws(ConcordError) -> Tensor {
        let needsGradient =
            isGradientEnabled
            && (batch.first.requiresGradient || batch.second.requiresGradient || logitScale.requiresGradient)
        let x = batch.first.detached()  // [own, width]
        let columns = try GatheredBatch(batch.second.detached(), labels: nil, group)
        let scale = withoutGradient { logitScale.to(x.dtype).exp().item() }
        let tiles = ScoreTiles(rows: x, columns: columns.vectors, own: columns.own, scale: scale, blockRows: blockRows)
        let count = Double(columns.vectors.size(0))

        return try withoutGradient { () throws(ConcordError) in
            var statistics = tiles.statistics()
            try statistics.columns.join(group)
            let matched = try group?.gatherRows(statistics.matched).all ?? statistics.matched
            let byRow = Softmaxes(matched: statistics.matched, others: statistics.rows)
            let byColumn = Softmaxes(matched: matched, others: statistics.columns)
            let ownColumns: (Tensor) -> Tensor = {
                $0.narrowed(axis: 0, from: columns.own.lowerBound, count: columns.own.count)
            }
            let precise: DType = x.device.kind == .mps ? .float32 : .float64
            let sums = Tensor.stacked(
                [byRow.losses + ownColumns(byColumn.losses), statistics.matched].map { $0.to(precise).sum() })
            try group?.allReduce(sums)
            let (lossSum, matchedSum) = (sums.scalars(as: Double.self)[0], sums.scalars(as: Double.self)[1])
            // Σᵢⱼ zᵢⱼ = s · (Σ x)·(Σ y)
            let xSum = x.sum(axes: [0]), ySum = columns.vectors.sum(axes: [0])  // [width]
            try group?.allReduce(xSum)
            let all = scale * (xSum * ySum).sum().item()
            let value = lossSum / (2 * count) + labelSmoothing * (matchedSum - all / count) / count
            let loss = try LossInput.checkResult(Tensor(value, dtype: x.dtype, device: x.device))
            guard needsGradient else { return loss }

            // The probabilities of the matching pairs in both directions, less 2 − 2e.
            let matchedSlopes = 2 * labelSmoothing - (byRow.othersShare + ownColumns(byColumn.othersShare))  // [own]
            let gradients = tiles.gradients(byRow, byColumn, matchedSlopes: matchedSlopes, factor: scale / (2 * count))
            try group?.allReduce(gradients.columns)
            let own = ownColumns(gradients.columns)
            if labelSmoothing > 0 {
                let spread = scale * labelSmoothing / (count * count)
                gradients.rows.formAdd(ySum, scale: -spread)
                own.formAdd(xSum, scale: -spread)
            }
            // z is proportional to x, so the gradient of log s is Σ dz · z = Σ dx · x.
            let products = gradients.rows.unsqueezed(1).matmul(x.unsqueezed(2))  // [rows, 1, 1], without [rows, width]
            let scaleGradient = products.to(precise).sum()
            return withGradient {
                loss.withGradients([
                    (batch.first, gradients.rows), (batch.second, own),
                    (logitScale, scaleGradient.to(logitScale.precise.dtype).to(logitScale.device)),
                ])
            }
        }
    }
}

/// The logits between some rows and all columns, a block of rows at a time.
private struct ScoreTiles {
    /// `[rows, width]` and `[columns, width]`, without gradient.
    let rows, columns: Tensor
    /// The rows' own columns.
    let own: Range<Int>
    let scale: Double
    let blockRows: Int
    /// One piece of memory for the logits of all blocks: fresh pages cost as much as a tenth of the product.
    private let logitMemory: Tensor
    /// Memory for exponentials of a strip.
    private let exponentialMemory: Tensor

    init(rows: Tensor, columns: Tensor, own: Range<Int>, scale: Double, blockRows: Int) {
        self.rows = rows
        self.columns = columns
        self.own = own
        self.scale = scale
        self.blockRows = blockRows
        let longest = min(blockRows, rows.size(0)), width = columns.size(0)
        let cachedRows = rows.device.kind == .cpu ? max(8, (1 << 18) / width) : longest
        logitMemory = .empty([longest, width], dtype: rows.dtype, device: rows.device)
        exponentialMemory = .empty([min(cachedRows, longest), width], dtype: rows.dtype, device: rows.device)
    }

    private func forEachTile(_ body: (_ block: Range<Int>, _ x: Tensor, _ logits: Tensor) -> Void) {
        let columnsTransposed = columns.transposed(0, 1)
        for start in stride(from: 0, to: rows.size(0), by: blockRows) {
            let block = start..<min(start + blockRows, rows.size(0))
            let x = rows.narrowed(axis: 0, from: start, count: block.count)
            let logits = logitMemory.narrowed(axis: 0, from: 0, count: block.count)
            logits.formAddMatrixProduct(of: x, columnsTransposed, keeping: 0, scale: scale)
            body(block, x, logits)
        }
    }

    /// A few rows of a block at a time: they stay in the processor's caches from one operation to the next.
    private func forEachStrip(
        of block: Range<Int>, _ logits: Tensor,
        _ body: (_ strip: Range<Int>, _ logits: Tensor, _ exponentials: Tensor) -> Void
    ) {
        let stripRows = exponentialMemory.size(0)
        for start in stride(from: block.lowerBound, to: block.upperBound, by: stripRows) {
            let strip = start..<min(start + stripRows, block.upperBound)
            body(
                strip, logits.narrowed(axis: 0, from: start - block.lowerBound, count: strip.count),
                exponentialMemory.narrowed(axis: 0, from: 0, count: strip.count))
        }
    }

    /// The block's logits of matching pairs, `[block.count]`: a view.
    private func matched(_ block: Range<Int>, _ logits: Tensor) -> Tensor {
        logits.narrowed(axis: 1, from: own.lowerBound + block.lowerBound, count: block.count).diagonal()
    }

    /// The logits of matching pairs, and the sums of all others' exponentials, row by row and column by column.
    func statistics() -> ScoreStatistics {
        let count = rows.size(0), width = columns.size(0), dtype = rows.dtype, device = rows.device
        var columnMaximum = Tensor.full([width], ExponentialSums.nothing, dtype: dtype, device: device)
        let columnSum = Tensor.zeros([width], dtype: dtype, device: device)
        let rowMaximum = Tensor.empty([count], dtype: dtype, device: device)
        let rowSum = Tensor.empty([count], dtype: dtype, device: device)
        let matched = Tensor.empty([count], dtype: dtype, device: device)
        forEachTile { block, _, logits in
            let diagonal = self.matched(block, logits)
            matched.narrowed(axis: 0, from: block.lowerBound, count: block.count).copy(from: diagonal)
            diagonal.fill(-.infinity)

            // The sums of columns run on: when a maximum grows, what is there already shrinks.
            let maximum = columnMaximum.maximum(logits.max(axes: [0]))
            columnSum.formMultiply((columnMaximum - maximum).exp())
            columnMaximum = maximum
            forEachStrip(of: block, logits) { strip, logits, exponentials in
                exponentials.write(logits, minus: maximum)
                exponentials.formExp()
                columnSum.formAdd(exponentials.sum(axes: [0]))

                let rowMaximum = rowMaximum.narrowed(axis: 0, from: strip.lowerBound, count: strip.count)
                rowMaximum.copy(from: logits.max(axes: [1]).clamped(min: ExponentialSums.nothing))
                logits.formAdd(rowMaximum.unsqueezed(1), scale: -1)
                logits.formExp()
                rowSum.narrowed(axis: 0, from: strip.lowerBound, count: strip.count)
                    .copy(from: logits.sum(axes: [1]))
            }
        }
        return ScoreStatistics(
            matched: matched, rows: ExponentialSums(maximum: rowMaximum, sum: rowSum),
            columns: ExponentialSums(maximum: columnMaximum, sum: columnSum))
    }

    /// The gradients with respect to rows and columns, without what smoothing spreads over all pairs.
    ///
    /// - Parameters:
    ///   - matchedSlopes: the gradients with respect to the logits of the matching pairs, divided by `factor`,
    ///     `[rows]`.
    ///   - factor: multiplies the sum of both softmaxes.
    func gradients(
        _ byRow: Softmaxes, _ byColumn: Softmaxes, matchedSlopes: Tensor, factor: Double
    ) -> (rows: Tensor, columns: Tensor) {
        let rowGradient = Tensor.empty(rows.shape, dtype: rows.dtype, device: rows.device)
        let columnGradient = Tensor.zeros(like: columns)
        forEachTile { block, x, logits in
            forEachStrip(of: block, logits) { strip, logits, exponentials in
                let part: (Tensor) -> Tensor = {  // [strip, 1]
                    $0.narrowed(axis: 0, from: strip.lowerBound, count: strip.count).unsqueezed(1)
                }
                exponentials.write(logits, minus: byColumn.maximum)
                exponentials.formExp()
                logits.formAdd(part(byRow.maximum), scale: -1)
                logits.formExp()
                logits.formMultiply(part(byRow.inverseSum))
                logits.formAddProduct(of: exponentials, byColumn.inverseSum)
            }
            let ofBlock: (Tensor) -> Tensor = { $0.narrowed(axis: 0, from: block.lowerBound, count: block.count) }
            matched(block, logits).copy(from: ofBlock(matchedSlopes))
            ofBlock(rowGradient).formAddMatrixProduct(of: logits, columns, keeping: 0, scale: factor)
            columnGradient.formAddMatrixProduct(of: logits.transposed(0, 1), x, scale: factor)
        }
        return (rowGradient, columnGradient)
    }
}

private struct ScoreStatistics {
    /// The logits of the matching pairs `[rows]`.
    let matched: Tensor
    /// Of all other logits, of each row and of each column.
    let rows: ExponentialSums
    var columns: ExponentialSums
}

/// The largest of some logits and the sum of exponentials relative to it.
private struct ExponentialSums {
    /// The maximum of no logits: finite, so that differences are no NaN.
    static let nothing = -Double(Float.greatestFiniteMagnitude)

    private(set) var maximum, sum: Tensor

    init(maximum: Tensor, sum: Tensor) {
        self.maximum = maximum
        self.sum = sum
    }

    /// Joins the sums of all processes.
    mutating func join(_ group: ProcessGroup?) throws(ConcordError) {
        guard let group else { return }
        let joint = maximum.cloned()
        try group.allReduce(joint, .maximum)
        sum.formMultiply((maximum - joint).exp())
        try group.allReduce(sum)
        maximum = joint
    }
}

/// The softmaxes of a matching logit among others, one for each row or column.
private struct Softmaxes {
    /// The largest logit, and one over the sum of exponentials relative to it.
    let maximum, inverseSum: Tensor
    /// The probability of all but the matching pair.
    let othersShare: Tensor
    /// Minus the logarithm of the probability of the matching pair.
    let losses: Tensor

    init(matched: Tensor, others: ExponentialSums) {
        maximum = others.maximum.maximum(matched)
        let sum = others.sum * (others.maximum - maximum).exp(), shift = matched - maximum
        inverseSum = (sum + shift.exp()).reciprocal()
        othersShare = sum * inverseSum
        // log(sum + exp(shift)) − shift, which is as small as the sum where the matching logit is the largest.
        losses = (sum + shift.expm1()).log1p() - shift
    }
}

extension Tensor {
    /// Overwrites the elements by `left - right`, broadcast.
    fileprivate func write(_ left: Tensor, minus right: Tensor) {
        _ = Tensor.callOperator("aten::sub.out", [.tensor(left), .tensor(right), .int(1), .tensor(self)])
    }
}
