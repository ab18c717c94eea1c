import ConcordCore
import ConcordTensor

/// Passes over ``ScoreTiles`` by operations on blocks of rows, on any device.
struct ScoreBlocks {
    private let tiles: ScoreTiles
    private var rows: Tensor { tiles.rows }
    private var columns: Tensor { tiles.columns }
    /// One piece of memory for the logits of all blocks: fresh pages cost as much as a tenth of the product.
    private let logitMemory: Tensor
    /// Memory for exponentials of a strip.
    private let exponentialMemory: Tensor

    init(_ tiles: ScoreTiles) {
        self.tiles = tiles
        let rows = tiles.rows
        let longest = min(tiles.blockRows, rows.size(0)), width = tiles.columns.size(0)
        let cachedRows = rows.device.kind == .cpu ? max(8, (1 << 18) / width) : longest
        logitMemory = .empty([longest, width], dtype: rows.dtype, device: rows.device)
        exponentialMemory = .empty([min(cachedRows, longest), width], dtype: rows.dtype, device: rows.device)
    }

    private func forEachTile(_ body: (_ block: Range<Int>, _ x: Tensor, _ logits: Tensor) -> Void) {
        let columnsTransposed = columns.transposed(0, 1)
        for start in stride(from: 0, to: rows.size(0), by: tiles.blockRows) {
            let block = start..<min(start + tiles.blockRows, rows.size(0))
            let x = rows.narrowed(axis: 0, from: start, count: block.count)
            let logits = logitMemory.narrowed(axis: 0, from: 0, count: block.count)
            logits.formAddMatrixProduct(of: x, columnsTransposed, keeping: 0, scale: tiles.scale)
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
        logits.narrowed(axis: 1, from: tiles.own.lowerBound + block.lowerBound, count: block.count).diagonal()
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

extension Tensor {
    /// Overwrites the elements by `left - right`, broadcast.
    fileprivate func write(_ left: Tensor, minus right: Tensor) {
        _ = Tensor.callOperator("aten::sub.out", [.tensor(left), .tensor(right), .int(1), .tensor(self)])
    }
}
