import Foundation

/// Position embeddings that are computed, not learned.
public enum SinePositions {
    /// Sines and cosines of a square grid's columns, then of its rows: `[leading + side², width]`, row-major.
    ///
    /// The first `leading` rows, those of class tokens, are zero. Follows `get_2d_sincos_pos_embed` in open_clip 3.3's
    /// `pos_embed.py`, which is that of MAE (He et al. 2022).
    ///
    /// - Parameter width: a multiple of 4.
    public static func grid(side: Int, width: Int, leading: Int) -> [Float] {
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
