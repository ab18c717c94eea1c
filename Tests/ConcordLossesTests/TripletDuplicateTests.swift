import ConcordCore
import ConcordLosses
import ConcordTensor
import Testing

/// Samples of two modalities that share a label, in the triplet loss and both of its directions.
@Suite struct TripletDuplicateTests {
    private let first = Tensor.normal([7, 4], generator: Generator(seed: 1), dtype: .float64)
    private let second = Tensor.normal([7, 4], generator: Generator(seed: 2), dtype: .float64)
    private let labels = Tensor([0, 1, 2, 0, 3, 1, 0] as [Int64])

    private static let minings: [TripletMining] = [.any, .all, .semiHard, .batchHard, .batchSemiHard]

    private func loss(_ mining: TripletMining, _ same: DuplicatePolicy = .positives) throws -> TripletMarginLoss {
        var loss = try TripletMarginLoss(margin: 0.5, distance: .cosine, mining: mining)
        loss.isSymmetric = true
        loss.duplicates = same
        return loss
    }

    private func isClose(_ value: Tensor, _ expected: Tensor) -> Bool {
        abs(value.item() - expected.item()) <= 1e-12 * abs(expected.item())
    }

    @Test(arguments: minings) func bothDirectionsAreAveraged(_ mining: TripletMining) throws {
        let forward = try TripletMarginLoss(margin: 0.5, distance: .cosine, mining: mining)
        let expected = try (forward(first, second, labels: labels) + forward(second, first, labels: labels)) / 2
        for plan in [ScorePlan.dense, .tiled(rows: 3)] {
            #expect(isClose(try loss(mining)(first, second, labels: labels, plan: plan), expected))
        }
        #expect(!isClose(expected, try forward(first, second, labels: labels)))
    }

    @Test(arguments: minings) func theChoiceIsThatOfLabelsOrMasks(_ mining: TripletMining) throws {
        let same = labels.unsqueezed(1).equal(to: labels), own = Tensor.identity(7).to(.bool)
        let others = PairMasks(ignored: same.logicalAnd(own.logicalNot()))
        for plan in [ScorePlan.dense, .tiled(rows: 3)] {
            let plain = try loss(mining)(first, second, plan: plan)
            let negatives = try loss(mining, .negatives)(first, second, labels: labels, plan: plan)
            let ignored = try loss(mining, .ignored)(first, second, labels: labels, plan: plan)
            let masked = try loss(mining)(first, second, labels: nil, masks: others, plan: plan)
            let positives = try loss(mining)(first, second, labels: labels, plan: plan)
            let marked = try loss(mining)(
                first, second, labels: nil, masks: PairMasks(positives: same), plan: plan)
            #expect(isClose(negatives, plain) && isClose(ignored, masked) && isClose(positives, marked))
            #expect(!isClose(positives, negatives))
        }
    }
}
