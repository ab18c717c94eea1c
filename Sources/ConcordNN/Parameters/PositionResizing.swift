import ConcordCore
import ConcordTensor

/// Position embeddings for another number of positions than a checkpoint has, as open_clip resizes them on loading.
public enum PositionResizing {
    /// Above every real model: a configuration that claims more is wrong, not ambitious.
    private static let mostPositions = 1 << 16

    /// Rows on a square grid, `[fixed + n², width] → [fixed + m², width]`, by bicubic interpolation with antialiasing.
    ///
    /// The first `fixed` rows, those of class tokens, stay. Nil for rows that are no square.
    /// Follows `resize_pos_embed` in open_clip 3.3's `model.py`.
    public static func grid(_ rows: Tensor, fixed: Int, side: Int) -> Tensor? {
        guard rows.rank == 2, rows.shape[0] > fixed, (1...mostPositions).contains(side),
            side * side <= mostPositions
        else { return nil }
        let (count, width) = (rows.shape[0] - fixed, rows.shape[1])
        let old = Int(Double(count).squareRoot().rounded())
        guard old * old == count else { return nil }
        let grid = widened(rows.sliced(axis: 0, from: fixed))
            .reshaped([1, old, old, width]).permuted([0, 3, 1, 2])  // [n², C] → [1, C, n, n]
            .interpolated(height: side, width: side, mode: .bicubic, antialias: true)
            .permuted([0, 2, 3, 1]).reshaped([side * side, width])  // [1, C, m, m] → [m², C]
        return Tensor.concatenated([rows.sliced(axis: 0, from: 0, to: fixed), grid.to(rows.dtype)])
    }

    /// Rows in a line, `[n, width] → [m, width]`, by linear interpolation with aligned ends left free.
    ///
    /// Follows `resize_text_pos_embed` in open_clip 3.3's `model.py`.
    public static func line(_ rows: Tensor, count: Int) -> Tensor? {
        guard rows.rank == 2, rows.shape[0] > 0, (1...mostPositions).contains(count) else { return nil }
        let resized = widened(rows).transposed(0, 1).reshaped([1, rows.shape[1], 1, rows.shape[0]])
            .interpolated(height: 1, width: count, mode: .bilinear)  // [n, C] → [1, C, 1, n] → [1, C, 1, m]
        return resized.reshaped([rows.shape[1], count]).transposed(0, 1).contiguous().to(rows.dtype)
    }

    /// Half-precision rows in float32, in which they are interpolated.
    private static func widened(_ rows: Tensor) -> Tensor { rows.dtype == .float64 ? rows : rows.to(.float32) }
}
