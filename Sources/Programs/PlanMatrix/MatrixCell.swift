import ConcordCore
import ConcordLosses
import ConcordTensor

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
        let chunk = Batch.chunk
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
