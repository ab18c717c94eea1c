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
        case .dense:
            guard batch.first.device.kind == .cpu else { return nil }
            return try tiles(batch, blockRows: ScorePlan.defaultRows, nil) { inputs in
                var loss = self
                loss.logitScale = inputs[2]
                return (loss.wholeMean(inputs[0], inputs[1]) + loss.wholeMean(inputs[1], inputs[0])) / 2
            }
        case .tiled(let rows): return try tiles(batch, blockRows: rows, nil)
        case .gathered(let group, let rows): return try tiles(batch, blockRows: rows, group)
        }
    }

    /// - Parameter value: the loss by automatic differentiation, for second derivatives.
    private func tiles(
        _ batch: PairBatch, blockRows: Int, _ group: ProcessGroup?, of value: (([Tensor]) -> Tensor)? = nil
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
            var statistics = tiles.statistics(forGradients: needsGradient)
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
            let mean = lossSum / (2 * count) + labelSmoothing * (matchedSum - all / count) / count
            let loss = try LossInput.checkResult(Tensor(mean, dtype: x.dtype, device: x.device))
            guard needsGradient else { return loss }

            // The probabilities of the matching pairs in both directions, less 2 − 2e.
            let matchedSlopes = 2 * labelSmoothing - (byRow.othersShare + ownColumns(byColumn.othersShare))  // [own]
            let gradients = tiles.gradients(
                byRow, byColumn, matchedSlopes: matchedSlopes, factor: scale / (2 * count), kept: statistics.kept)
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
                loss.withGradients(
                    [
                        (batch.first, gradients.rows), (batch.second, own),
                        (logitScale, scaleGradient.to(logitScale.precise.dtype).to(logitScale.device)),
                    ], of: value)
            }
        }
    }
}
