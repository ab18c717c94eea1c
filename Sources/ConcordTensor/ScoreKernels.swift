import CTorch
import ConcordCore

// Passes over the scores of all pairs of some rows and columns, float32 or float64 on the CPU, without gradients. Each is
// one parallel loop, and gives the same numbers whatever the number of threads.
//
// Rows are `[rows, width]`, columns `[columns, width]`; the rows' partners are the columns from `own` on. `scale`
// multiplies inner products, and a thread works on at most `blockRows` rows at a time.

extension Tensor {
    /// The logits of the matching pairs `[rows]`; the largest of all other logits and the sum of their exponentials
    /// relative to it, of each row and of each column; and, for gradients, logits to give to ``scoreGradients``.
    package static func scoreStatistics(
        rows: Tensor, columns: Tensor, own: Int, scale: Double, blockRows: Int, forGradients: Bool,
        file: StaticString = #fileID, line: UInt = #line
    ) -> (matched: Tensor, rows: (maxima: Tensor, sums: Tensor), columns: (maxima: Tensor, sums: Tensor), kept: Tensor)
    {
        let results = performList(
            "score_statistics", [.tensor(rows), .tensor(columns)], ["own": .int(own), "scale": .double(scale)], file,
            line
        ) {
            ctorch_score_statistics(
                rows.handle, columns.handle, own, scale, blockRows, forGradients, $0, $1)
        }
        let part = { results.indices.contains($0) ? results[$0] : .undefined }
        return (part(0), (part(1), part(2)), (part(3), part(4)), part(5))
    }

    /// The gradients of rows and columns where that of a logit is `factor` times the sum of its softmaxes in its row and
    /// in its column, and times `matched` for the matching pairs `[rows]`.
    package static func scoreGradients(
        rows: Tensor, columns: Tensor, own: Int, scale: Double, blockRows: Int, kept: Tensor,
        byRow: (maxima: Tensor, inverseSums: Tensor), byColumn: (maxima: Tensor, inverseSums: Tensor),
        matched: Tensor, factor: Double, file: StaticString = #fileID, line: UInt = #line
    ) -> (rows: Tensor, columns: Tensor) {
        performPair(
            "score_gradients",
            [
                .tensor(rows), .tensor(columns), .tensor(kept), .tensor(byRow.maxima), .tensor(byRow.inverseSums),
                .tensor(byColumn.maxima), .tensor(byColumn.inverseSums), .tensor(matched),
            ], ["own": .int(own), "scale": .double(scale), "factor": .double(factor)], file, line
        ) {
            ctorch_score_gradients(
                rows.handle, columns.handle, own, scale, blockRows, kept.handle, byRow.maxima.handle,
                byRow.inverseSums.handle, byColumn.maxima.handle, byColumn.inverseSums.handle, matched.handle, factor,
                $0, $1)
        }
    }

    /// The sum of `-log σ(±(logit + bias))` over all pairs, + for the matching ones, and its derivative by the bias,
    /// float64 `[2]`; and, for gradients, those of rows and columns times `factor`.
    package static func sigmoidScores(
        rows: Tensor, columns: Tensor, own: Int, scale: Double, blockRows: Int, bias: Double, factor: Double,
        forGradients: Bool, file: StaticString = #fileID, line: UInt = #line
    ) -> (sums: Tensor, rows: Tensor, columns: Tensor) {
        performTriple(
            "sigmoid_scores", [.tensor(rows), .tensor(columns)],
            ["own": .int(own), "scale": .double(scale), "bias": .double(bias), "factor": .double(factor)], file, line
        ) {
            ctorch_sigmoid_scores(
                rows.handle, columns.handle, own, scale, blockRows, bias, factor, forGradients, $0, $1, $2)
        }
    }
    /// Of each float32 row its farthest or nearest column among positives and among negatives, bool `[rows, columns]`:
    /// int64 `[rows, 1]`, the first of equally far ones, -1 where there is none.
    ///
    /// Distances are Euclidean or their squares, computed in float64 and compared in float32.
    package static func extremeColumns(
        rows: Tensor, columns: Tensor, areSquared: Bool, positives: Tensor, farthestPositive: Bool, negatives: Tensor,
        farthestNegative: Bool, file: StaticString = #fileID, line: UInt = #line
    ) -> (positive: Tensor, negative: Tensor) {
        performPair(
            "extreme_columns", [.tensor(rows), .tensor(columns), .tensor(positives), .tensor(negatives)],
            ["are_squared": .bool(areSquared)], file, line
        ) {
            ctorch_extreme_columns(
                rows.handle, columns.handle, areSquared, positives.handle, farthestPositive, negatives.handle,
                farthestNegative, $0, $1)
        }
    }
}
