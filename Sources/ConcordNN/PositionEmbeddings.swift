import ConcordCore
import ConcordTensor
import Foundation

/// Resizes a checkpoint's position embeddings to another number of positions, as open_clip does on loading.
package enum PositionResizing {
    /// Above every real model: a configuration that claims more is wrong, not ambitious.
    private static let mostPositions = 1 << 16

    /// Rows on a square grid, `[fixed + n², width] → [fixed + m², width]`, by bicubic interpolation with antialiasing.
    ///
    /// The first `fixed` rows, those of class tokens, stay. Nil for rows that do not form a square.
    /// Follows `resize_pos_embed` in open_clip 3.3's `model.py`.
    package static func grid(_ rows: Tensor, fixed: Int, side: Int) -> Tensor? {
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

    /// Rows in a line, `[n, width] → [count, width]`, by linear interpolation with aligned ends left free.
    ///
    /// Follows `resize_text_pos_embed` in open_clip 3.3's `model.py`, which has no rows that stay.
    ///
    /// - Parameters:
    ///   - leading: rows in front that stay, such as RoBERTa's for padding.
    ///   - trailing: rows at the end that stay, such as that of CoCa's class token, which is not a neighbor of the
    ///     others.
    package static func line(_ rows: Tensor, count: Int, leading: Int = 0, trailing: Int = 0) -> Tensor? {
        let fixed = leading + trailing
        guard rows.rank == 2, rows.shape[0] > fixed, count > fixed, count <= mostPositions else { return nil }
        let (old, new, width) = (rows.shape[0] - fixed, count - fixed, rows.shape[1])
        let resized = widened(rows.sliced(axis: 0, from: leading, to: leading + old))
            .transposed(0, 1).reshaped([1, width, 1, old])
            .interpolated(height: 1, width: new, mode: .bilinear)  // [n, C] → [1, C, 1, n] → [1, C, 1, m]
        let line = resized.reshaped([width, new]).transposed(0, 1).contiguous().to(rows.dtype)
        guard fixed > 0 else { return line }
        return Tensor.concatenated([
            rows.sliced(axis: 0, from: 0, to: leading), line, rows.sliced(axis: 0, from: leading + old),
        ])
    }

    /// Half-precision rows in float32, in which they are interpolated.
    private static func widened(_ rows: Tensor) -> Tensor { rows.dtype == .float64 ? rows : rows.to(.float32) }
}

/// Position embeddings that are computed, not learned.
package enum SinusoidalPositions {
    /// Sines, then cosines, of positions in a line: `[count, width]`, row-major, with `width` even.
    ///
    /// Follows `sinusoids` in `models/whisper/modeling_whisper.py` of transformers 5.23.
    package static func line(count: Int, width: Int) -> [Float] {
        let half = width / 2
        let rates = (0..<half).map { exp(-Foundation.log(10000) / Double(max(1, half - 1)) * Double($0)) }
        return (0..<count).flatMap { place in
            rates.map { Float(sin(Double(place) * $0)) } + rates.map { Float(cos(Double(place) * $0)) }
        }
    }

    /// Sines and cosines of a square grid's columns, then of its rows: `[leading + side², width]`, row-major.
    ///
    /// The first `leading` rows, those of class tokens, are zero. Follows `get_2d_sincos_pos_embed` in open_clip 3.3's
    /// `pos_embed.py`, which is that of MAE (He et al. 2022).
    ///
    /// - Parameter width: a multiple of 4.
    package static func grid(side: Int, width: Int, leading: Int) -> [Float] {
        precondition(width.isMultiple(of: 4), "sines and cosines of two axes do not fill a width of \(width)")
        let quarter = width / 4
        let frequencies = (0..<quarter).map { 1 / pow(10000, Double($0) / Double(quarter)) }
        // [side, width / 2]: the sines of a coordinate, then its cosines.
        let halves = (0..<side).map { coordinate in
            let angles = frequencies.map { Double(coordinate) * $0 }
            return angles.map { Float(sin($0)) } + angles.map { Float(cos($0)) }
        }
        var table = [Float](repeating: 0, count: leading * width)
        table.reserveCapacity((leading + side * side) * width)
        for row in 0..<side {
            for column in 0..<side { table += halves[column] + halves[row] }
        }
        return table
    }
}
