import ConcordCore
import Foundation

/// The matrix for people: one line for each loss, plan and world, with the largest error in each type.
struct MatrixTable {
    private let rows: [MatrixRow]

    init(_ rows: [MatrixRow]) { self.rows = rows }

    func print() {
        Swift.print("Largest error of loss and gradients (both towers, logit scale, logit bias) against one process")
        Swift.print(
            "in float64 that holds all at once; dropout on, \(Batch.count) samples, last batch and chunk uneven.")
        line("loss", "plan", "processes", "float64", "float32", "bfloat16")
        for row in rows where row.cell.embeddings == .float64 {
            let same = rows.filter {
                $0.cell.loss == row.cell.loss && $0.cell.plan == row.cell.plan && $0.world == row.world
            }
            let errors = same.map { row in
                String(format: "%.1e", max(row.lossError, row.towerError, row.scaleError, row.biasError))
            }
            line(row.cell.loss.rawValue, row.cell.plan.rawValue, "\(row.world)", errors[0], errors[1], errors[2])
        }
    }

    private func line(_ columns: String...) {
        let widths = [16, 18, 11, 10, 10, 10]
        let texts = zip(columns, widths).map { text, width in
            text + String(repeating: " ", count: max(1, width - text.count))
        }
        Swift.print(texts.joined())
    }
}
