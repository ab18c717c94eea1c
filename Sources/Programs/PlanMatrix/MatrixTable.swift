import ConcordCore
import ConcordLosses
import ConcordTensor
import Foundation

/// One cell of the matrix: a loss, a plan and the type of what the loss is given.
struct MatrixCell {
    enum Loss: String, CaseIterable {
        case infoNCE = "InfoNCE"
        case sigLIP = "SigLIP"
        case multiPositive = "multi-positive"
        case triplet
    }

    enum Plan: String, CaseIterable {
        case dense
        case tiled
        case cached
        case cachedTiled = "cached, tiled"
        case gathered
        case cachedGathered = "cached, gathered"

        /// Whether several processes can run it.
        var isGathered: Bool { self == .gathered || self == .cachedGathered }
        /// Whether the towers embed chunk by chunk.
        var isCached: Bool { self == .cached || self == .cachedTiled || self == .cachedGathered }
    }

    let loss: Loss
    let plan: Plan
    /// The type of the embeddings: float64 and float32 towers, or bfloat16 made from float32 ones.
    let embeddings: DType

    var name: String { "\(loss.rawValue)/\(plan.rawValue)/\(embeddings.rawValue)" }
    var computation: DType { embeddings == .float64 ? .float64 : .float32 }

    /// The cells that a world of so many processes can run.
    static func all(worldSize: Int) -> [MatrixCell] {
        Loss.allCases.flatMap { loss in
            Plan.allCases.filter { worldSize == 1 || $0.isGathered }.flatMap { plan in
                [DType.float64, .float32, .bfloat16].map { MatrixCell(loss: loss, plan: plan, embeddings: $0) }
            }
        }
    }

    func execution(_ group: ProcessGroup) -> ExecutionPlan {
        // Tiles and chunks that divide no batch here.
        let chunk = PairSamples.chunk
        return switch plan {
        case .dense: .dense
        case .tiled: .tiled(rows: 3)
        case .cached: .cached(chunk: chunk, scores: .dense)
        case .cachedTiled: .cached(chunk: chunk, scores: .tiled(rows: 5))
        case .gathered: .gathered(group, rows: 3)
        case .cachedGathered: .cached(chunk: chunk, scores: .gathered(group, rows: 2))
        }
    }

    /// The loss of embedded pairs.
    func value(_ towers: Towers, _ first: Tensor, _ second: Tensor, labels: Tensor, _ plan: ScorePlan) throws -> Tensor
    {
        switch loss {
        case .infoNCE:
            try InfoNCE(logitScale: towers.logitScale)(first, second, plan: plan)
        case .sigLIP:
            try SigmoidLoss(logitScale: towers.logitScale, logitBias: towers.logitBias)(first, second, plan: plan)
        case .multiPositive:
            try InfoNCE(logitScale: towers.logitScale)(first, second, labels: labels, plan: plan)
        case .triplet:
            try TripletMarginLoss(margin: 0.4, distance: .euclidean(), mining: .all)(
                first, second, labels: labels, plan: plan)
        }
    }
}

/// What one cell came to: the largest errors of loss and gradients.
struct MatrixRow {
    let cell: MatrixCell
    let world: Int
    private(set) var loss = 0.0
    /// Errors relative to the loss, and of each gradient relative to the largest element of the reference.
    private(set) var lossError = 0.0, towerError = 0.0, scaleError = 0.0, biasError = 0.0

    init(cell: MatrixCell, world: Int) {
        self.cell = cell
        self.world = world
    }

    mutating func add(_ name: String, _ actual: [Double], _ expected: [Double]) {
        let largest = expected.map(abs).max() ?? 0
        let worst = zip(actual, expected).map { abs($0 - $1) }.max() ?? 0
        // A gradient of zero, such as that of a bias that the loss has none of, has to be zero.
        let error = worst == 0 ? 0 : worst.isNaN || actual.count != expected.count ? .infinity : worst / largest
        switch name {
        case "loss":
            loss = expected[0]
            lossError = error
        case "logitScale": scaleError = error
        case "logitBias": biasError = error
        default: towerError = max(towerError, error)
        }
    }

    var json: JSONValue {
        .object([
            .init("loss", .string(cell.loss.rawValue)), .init("plan", .string(cell.plan.rawValue)),
            .init("world", .integer(world)), .init("embeddings", .string(cell.embeddings.rawValue)),
            .init("value", .number(loss)), .init("loss_error", .number(lossError)),
            .init("tower_error", .number(towerError)), .init("scale_error", .number(scaleError)),
            .init("bias_error", .number(biasError)),
        ])
    }
}

/// The matrix for people: one line for each loss, plan and world, with the largest error in each type.
struct MatrixTable {
    private let rows: [MatrixRow]

    init(_ rows: [MatrixRow]) { self.rows = rows }

    func print() {
        Swift.print("Largest error of loss and gradients (both towers, logit scale, logit bias) against one process")
        Swift.print(
            "in float64 that holds all at once; dropout on, \(PairSamples.count) samples, last batch and chunk uneven.")
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
