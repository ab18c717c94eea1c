import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// Blocks of any size, of one modality or two, against a loop over all triplets.
@Suite struct TripletBlockTests {
    static let minings: [TripletMining] = [
        .any, .all, .hard, .semiHard, .easy, .batchHard, .batchSemiHard,
        .easyHard(positive: .easy, negative: .semiHard),
        .easyHard(positive: .all, negative: .hard), .easyHard(positive: .hard, negative: .all),
    ]

    /// Sum over count of a batch, a block of rows at a time.
    static func mean(
        _ loss: TripletMarginLoss, _ rows: Tensor, _ columns: Tensor, labels: (rows: Tensor, columns: Tensor)?,
        comparesWithItself: Bool, size: Int
    ) -> Tensor {
        var (sum, count) = (Tensor(0, dtype: .float64), Tensor(0, dtype: .float64))
        for first in stride(from: 0, to: rows.size(0), by: size) {
            let part = min(size, rows.size(0) - first)
            let terms = loss.terms(
                rows: rows.narrowed(axis: 0, from: first, count: part), columns: columns,
                block: RowBlock(
                    rows: first..<first + part, rowLabels: labels?.rows.narrowed(axis: 0, from: first, count: part),
                    columnLabels: labels?.columns, comparesWithItself: comparesWithItself))
            #expect(!terms.count.requiresGradient)
            (sum, count) = (sum + terms.sum, count + terms.count)
        }
        return sum / count
    }

    @Test(arguments: [TripletPenalty.hinge, .softplus], ["random", "ties"])
    func blockSizeDoesNotMatter(penalty: TripletPenalty, batch: String) throws {
        let golden = try Golden.tensors("losses", "triplets.safetensors")
        let embeddings = try #require(golden["\(batch).embeddings"]).tensor
        let labels = try #require(golden["\(batch).labels"]).labels
        for mining in Self.minings where !(mining == .easy && penalty == .hinge) {
            let loss = try TripletMarginLoss(margin: 1, penalty: penalty, mining: mining, averaging: .nonZero)
            let results = [1, 3, embeddings.size(0)].map { size in
                LossAndGradients([embeddings]) {
                    Self.mean(
                        loss, $0[0], $0[0], labels: (labels, labels), comparesWithItself: true, size: size)
                }
            }
            #expect(results[2].value[0] > 0)
            results[0].expectClose(to: results[2], relative: 1e-12, "\(mining), blocks of 1")
            results[1].expectClose(to: results[2], relative: 1e-12, "\(mining), blocks of 3")
            let whole = try LossAndGradients([embeddings]) {
                try tripletLoss(
                    embeddings: $0[0], labels: labels, margin: 1, penalty: penalty, mining: mining,
                    averaging: .nonZero)
            }
            whole.expectClose(to: results[2], relative: 1e-12, "\(mining), the function")
        }
    }

    /// Works on plain numbers, so that the loop shares nothing with the code.
    static func naive(
        _ rows: [[Double]], _ columns: [[Double]], difference: (Double) -> Double, isSame: (Int, Int) -> Bool,
        margin: Double, mining: TripletMining, penalty: TripletPenalty
    ) -> (sum: Double, nonZero: Double, chosen: Double) {
        var result = (sum: 0.0, nonZero: 0.0, chosen: 0.0)
        func add(_ gap: Double) {
            let loss = penalty == .hinge ? max(0, margin - gap) : log1p(exp(margin - gap))
            result = (result.sum + loss, result.nonZero + (loss > 0 ? 1 : 0), result.chosen + 1)
        }
        for (a, row) in rows.enumerated() {
            let distances = columns.map { zip(row, $0).map { difference($0 - $1) }.reduce(0, +) }
            let positives = distances.indices.filter { isSame(a, $0) }.map { distances[$0] }
            let negatives = distances.indices.filter { !isSame(a, $0) }.map { distances[$0] }
            guard let farthest = positives.max(), let nearest = negatives.min() else { continue }
            if mining == .batchHard {
                add(nearest - farthest)
                continue
            }
            for positive in positives {
                for gap in negatives.map({ $0 - positive }) {
                    let isChosen =
                        switch mining {
                        case .all: gap <= margin
                        case .hard: gap <= 0
                        case .semiHard: gap > 0 && gap <= margin
                        case .easy: gap > margin
                        default: true
                        }
                    if isChosen { add(gap) }
                }
            }
        }
        return result
    }

    /// A process's anchors are the middle of the batch, its columns the other processes' samples too; the margin and
    /// the coordinates are small integers, so that many gaps tie.
    @Test(
        arguments: [TripletPenalty.hinge, .softplus],
        [
            (true, DType.float64, EmbeddingDistance.euclidean(p: 1)), (false, .float64, .euclidean(p: 1)),
            (true, .float32, .euclidean(p: 1)), (true, .float32, .squaredEuclidean),
            (false, .float32, .squaredEuclidean),
        ])
    func wideColumnsEqualALoopOverTriplets(
        penalty: TripletPenalty, setting: (hasLabels: Bool, dtype: DType, distance: EmbeddingDistance)
    ) throws {
        let (hasLabels, dtype, distance) = setting
        let generator = Generator(seed: 5)
        let columns = (Tensor.normal([11, 3], generator: generator, dtype: .float64) * 1.5).round()
        let rows = (Tensor.normal([5, 3], generator: generator, dtype: .float64) * 1.5).round()
        let labels = (rows: [3, 0, 2, 0, 9], columns: [0, 1, 0, 2, 0, 0, 1, 2, 2, 3, 0])
        let numbers = [rows, columns].map { tensor in
            (0..<tensor.size(0)).map { tensor.selected(axis: 0, at: $0).scalars(as: Double.self) }
        }
        let first = 4
        for mining in [TripletMining.any, .all, .hard, .semiHard, .easy, .batchHard] {
            let expected = Self.naive(
                numbers[0], numbers[1], difference: distance == .squaredEuclidean ? { $0 * $0 } : { abs($0) },
                isSame: { hasLabels ? labels.rows[$0] == labels.columns[$1] : $0 + first == $1 }, margin: 2,
                mining: mining, penalty: penalty)
            for averaging in [TripletAveraging.nonZero, .all] {
                let loss = try TripletMarginLoss(
                    margin: 2, distance: distance, penalty: penalty, mining: mining, averaging: averaging)
                let terms = loss.terms(
                    rows: rows.to(dtype), columns: columns.to(dtype),
                    block: RowBlock(
                        rows: first..<first + 5, rowLabels: hasLabels ? Tensor(labels.rows) : nil,
                        columnLabels: hasLabels ? Tensor(labels.columns) : nil, comparesWithItself: false))
                let tolerance = dtype == .float64 ? 1e-12 : 1e-6
                expectClose([terms.sum.item()], [expected.sum], absolute: 0, relative: tolerance, "\(mining)")
                #expect(terms.count.item() == (averaging == .all ? expected.chosen : expected.nonZero))
            }
        }
    }

    @Test func withoutLabelsAnchorsMatchTheirOwnPlace() throws {
        let (images, texts) = (
            Tensor.normal([6, 4], generator: Generator(seed: 1), dtype: .float64),
            Tensor.normal([6, 4], generator: Generator(seed: 2), dtype: .float64)
        )
        let places = Tensor.arange(6)
        for mining in Self.minings {
            let paired = try LossAndGradients([images, texts]) {
                try tripletLoss(anchors: $0[0], candidates: $0[1], mining: mining)
            }
            let labelled = try LossAndGradients([images, texts]) {
                try tripletLoss(
                    anchors: $0[0], candidates: $0[1], anchorLabels: places, candidateLabels: places, mining: mining)
            }
            paired.expectClose(to: labelled, relative: 1e-14, "\(mining)")
        }
        // In a batch compared with itself nothing matches.
        let terms = try TripletMarginLoss().terms(
            rows: images, columns: images,
            block: RowBlock(rows: 0..<6, rowLabels: nil, columnLabels: nil, comparesWithItself: true))
        #expect(terms.sum.item() == 0 && terms.count.item() == 0)
    }

    /// Large enough for several blocks inside the function, and for several slices of positives under softplus.
    @Test func theFunctionGoesThroughSeveralBlocks() throws {
        let count = 1_500
        let embeddings = Tensor.normal([count, 8], generator: Generator(seed: 4), dtype: .float32)
        let labels = Tensor((0..<count).map { $0 % 100 })
        for penalty in [TripletPenalty.hinge, .softplus] {
            let loss = try TripletMarginLoss(margin: 0.5, penalty: penalty)
            let function = try LossAndGradients([embeddings]) {
                try tripletLoss(embeddings: $0[0], labels: labels, margin: 0.5, penalty: penalty)
            }
            let blocks = LossAndGradients([embeddings]) {
                Self.mean(loss, $0[0], $0[0], labels: (labels, labels), comparesWithItself: true, size: 500)
            }
            function.expectClose(to: blocks, relative: 1e-5, "\(penalty)")
        }
    }
}
