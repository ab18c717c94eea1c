import ConcordCore
import ConcordTensor

// The symmetric loss without labels or masks, which most models are trained with: both directions from one product of
// each tile, and gradients by formula. Four products of matrices where automatic differentiation of both directions
// takes six, and no matrix of all scores.
//
// With logits z = s · x·yᵀ of N samples, r and c the log-sum-exps of rows and columns, and smoothing e:
//   loss  = Σᵢ (rᵢ + cᵢ) / 2N − (1 − e) Σᵢ zᵢᵢ / N − e Σᵢⱼ zᵢⱼ / N²
//   dzᵢⱼ  = (exp(zᵢⱼ − rᵢ) + exp(zᵢⱼ − cⱼ)) / 2N − (1 − e) δᵢⱼ / N − e / N²
extension InfoNCE {
    func tiled(
        _ batch: PairBatch, _ plan: ScorePlan, rows blockRows: Int, _ group: ProcessGroup?
    ) throws(ConcordError) -> Tensor {
        precondition(blockRows > 0, "a block of \(blockRows) rows")
        try checkSettings()
        try batch.check(plan)
        return try withFullPrecision(on: batch.first.device) { () throws(ConcordError) in
            try tiles(batch, blockRows: blockRows, group)
        }
    }

    private func tiles(
        _ batch: PairBatch, blockRows: Int, _ group: ProcessGroup?
    ) throws(ConcordError) -> Tensor {
        let needsGradient =
            isGradientEnabled
            && (batch.first.requiresGradient || batch.second.requiresGradient || logitScale.requiresGradient)
        let x = batch.first.detached().precise  // [own, width]
        let columns = try GatheredBatch(batch.second.detached().precise, labels: nil, group)
        let scale = withoutGradient { logitScale.to(x.dtype).exp().item() }
        let tiles = ScoreTiles(rows: x, columns: columns.vectors, own: columns.own, scale: scale, blockRows: blockRows)
        let count = Double(columns.vectors.size(0))

        return try withoutGradient { () throws(ConcordError) in
            var statistics = tiles.statistics()
            try statistics.join(group)
            let sums = Tensor.stacked([statistics.lossSum(columns.own), statistics.own.sum()])
            try group?.allReduce(sums)
            let (lossSum, matchedSum) = (sums.scalars(as: Double.self)[0], sums.scalars(as: Double.self)[1])
            // Σᵢⱼ zᵢⱼ = s · (Σ x)·(Σ y)
            let xSum = x.sum(axes: [0]), ySum = columns.vectors.sum(axes: [0])  // [width]
            try group?.allReduce(xSum)
            let all = scale * (xSum * ySum).sum().item()
            let value = lossSum / (2 * count) + labelSmoothing * (matchedSum - all / count) / count
            let loss = Tensor(value, dtype: x.dtype, device: x.device)
            guard needsGradient else { return loss }

            let gradients = tiles.gradients(statistics, factor: scale / (2 * count))
            try group?.allReduce(gradients.columns)
            let own = gradients.columns.narrowed(axis: 0, from: columns.own.lowerBound, count: columns.own.count)
            let y = columns.vectors.narrowed(axis: 0, from: columns.own.lowerBound, count: columns.own.count)
            let matched = scale * (1 - labelSmoothing) / count, spread = scale * labelSmoothing / (count * count)
            gradients.rows.formAdd(y, scale: -matched)
            own.formAdd(x, scale: -matched)
            if labelSmoothing > 0 {
                gradients.rows.formAdd(ySum, scale: -spread)
                own.formAdd(xSum, scale: -spread)
            }
            // z is proportional to x, so the gradient of log s is Σ dz · z = Σ dx · x.
            let products = gradients.rows.unsqueezed(1).matmul(x.unsqueezed(2))  // [rows, 1, 1], without [rows, width]
            let scaleGradient = products.to(x.device.kind == .mps ? .float32 : .float64).sum()
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
    /// Where the rows' own columns are.
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

    /// Log-sum-exps, row by row and column by column.
    func statistics() -> ScoreStatistics {
        let count = rows.size(0), width = columns.size(0), dtype = rows.dtype, device = rows.device
        var columnMaximum = Tensor.full([width], -.infinity, dtype: dtype, device: device)
        let columnSum = Tensor.zeros([width], dtype: dtype, device: device)
        let rowMaximum = Tensor.empty([count], dtype: dtype, device: device)
        let rowSum = Tensor.empty([count], dtype: dtype, device: device)
        let matched = Tensor.empty([count], dtype: dtype, device: device)
        forEachTile { block, _, logits in
            let part: (Tensor) -> Tensor = { $0.narrowed(axis: 0, from: block.lowerBound, count: block.count) }
            let diagonal = logits.narrowed(axis: 1, from: own.lowerBound + block.lowerBound, count: block.count)
            part(matched).copy(from: diagonal.diagonal())

            // The sums of columns run on: when a maximum grows, what is there already shrinks.
            let maximum = columnMaximum.maximum(logits.max(axes: [0]))
            columnSum.formMultiply((columnMaximum - maximum).exp())
            columnMaximum = maximum
            forEachStrip(of: block, logits) { strip, logits, exponentials in
                exponentials.write(logits, minus: maximum)
                exponentials.formExp()
                columnSum.formAdd(exponentials.sum(axes: [0]))

                let rowMaximum = rowMaximum.narrowed(axis: 0, from: strip.lowerBound, count: strip.count)
                rowMaximum.copy(from: logits.max(axes: [1]))
                logits.formAdd(rowMaximum.unsqueezed(1), scale: -1)
                logits.formExp()
                rowSum.narrowed(axis: 0, from: strip.lowerBound, count: strip.count)
                    .copy(from: logits.sum(axes: [1]))
            }
        }
        return ScoreStatistics(
            own: matched, rowMaximum: rowMaximum, rowSum: rowSum, columnMaximum: columnMaximum, columnSum: columnSum)
    }

    /// `factor` times the gradients of the sum of all log-sum-exps with respect to rows and columns.
    func gradients(_ statistics: ScoreStatistics, factor: Double) -> (rows: Tensor, columns: Tensor) {
        let rowGradient = Tensor.empty(rows.shape, dtype: rows.dtype, device: rows.device)
        let columnGradient = Tensor.zeros(like: columns)
        let rowLogSumExp = statistics.rowSum.log() + statistics.rowMaximum
        let columnLogSumExp = statistics.columnSum.log() + statistics.columnMaximum
        forEachTile { block, x, logits in
            let part: (Tensor) -> Tensor = { $0.narrowed(axis: 0, from: block.lowerBound, count: block.count) }
            forEachStrip(of: block, logits) { strip, logits, byColumn in
                byColumn.write(logits, minus: columnLogSumExp)
                byColumn.formExp()
                let byRow = rowLogSumExp.narrowed(axis: 0, from: strip.lowerBound, count: strip.count)
                logits.formAdd(byRow.unsqueezed(1), scale: -1)
                logits.formExp()
                logits.formAdd(byColumn)
            }
            part(rowGradient).formAddMatrixProduct(of: logits, columns, keeping: 0, scale: factor)
            columnGradient.formAddMatrixProduct(of: logits.transposed(0, 1), x, scale: factor)
        }
        return (rowGradient, columnGradient)
    }
}

private struct ScoreStatistics {
    /// The logits of the matching pairs `[rows]`.
    let own: Tensor
    /// The largest logit of each row and the sum of exponentials relative to it, `[rows]`.
    let rowMaximum, rowSum: Tensor
    /// The same of each column, `[columns]`.
    var columnMaximum, columnSum: Tensor

    /// The log-sum-exps of the rows and of their own columns, less the matching logits, summed. The large parts are
    /// taken from each other first: logits near 100 would leave few digits for a small loss.
    func lossSum(_ ownColumns: Range<Int>) -> Tensor {
        let part: (Tensor) -> Tensor = { $0.narrowed(axis: 0, from: ownColumns.lowerBound, count: ownColumns.count) }
        let rows = rowSum.log() + (rowMaximum - own)
        let columns = part(columnSum).log() + (part(columnMaximum) - own)
        return rows.sum() + columns.sum()
    }

    /// Joins the columns' sums of all processes.
    mutating func join(_ group: ProcessGroup?) throws(ConcordError) {
        guard let group else { return }
        let maximum = columnMaximum.cloned()
        try group.allReduce(maximum, .maximum)
        columnSum.formMultiply((columnMaximum - maximum).exp())
        try group.allReduce(columnSum)
        columnMaximum = maximum
    }
}

extension Tensor {
    /// Overwrites the elements by `left - right`, broadcast.
    fileprivate func write(_ left: Tensor, minus right: Tensor) {
        _ = Tensor.callOperator("aten::sub.out", [.tensor(left), .tensor(right), .int(1), .tensor(self)])
    }
}
