import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Testing

/// Second derivatives are right, or refused: never silently wrong.
@Suite struct SecondDerivativeTests {
    typealias Loss = @Sendable (_ embeddings: [Tensor]) throws -> Tensor

    private static let labels = [0, 0, 1, 1, 2, 2]

    /// Losses of two sides `[6, 4]`. Of circle loss and hardness a part is left out of every derivative by definition.
    private static let losses: [String: Loss] = {
        let labels: @Sendable () -> Tensor = { Tensor(Self.labels) }
        let scale: @Sendable () -> Tensor = { Tensor(1.2, dtype: .float64) }
        var losses: [String: Loss] = [
            "InfoNCE": { try InfoNCE(logitScale: scale())($0[0], $0[1]) },
            "InfoNCE, labels": { try InfoNCE(logitScale: scale())($0[0], $0[1], labels: labels()) },
            "InfoNCE, decoupled": {
                var loss = InfoNCE(logitScale: scale())
                loss.isDecoupled = true
                loss.labelSmoothing = 0.1
                return try loss($0[0], $0[1])
            },
            "sigmoid": {
                try SigmoidLoss(logitScale: scale(), logitBias: Tensor(-1, dtype: .float64))($0[0], $0[1])
            },
            "infoNCELoss": { try infoNCELoss(anchor: $0[0], positive: $0[1]) },
            "NT-Xent": { try ntXentLoss($0[0], $0[1]) },
            "SupCon": { try supConLoss($0[0], labels: labels()) + supConLoss($0[1], labels: labels()) },
            "triplets": { try tripletLoss(anchor: $0[0], positive: $0[1], negative: $0[1].flipped(axes: [0])) },
            "contrastive": {
                try contrastiveLoss(
                    embeddings: $0[0], labels: labels(), reference: $0[1], referenceLabels: labels(),
                    measure: .dotProduct)
            },
            "multi-similarity": {
                try multiSimilarityLoss(
                    embeddings: $0[0], labels: labels(), reference: $0[1], referenceLabels: labels())
            },
            "N-pairs": { try nPairsLoss(embeddings: $0[0] + $0[1], labels: labels()) },
            "CoSENT": { try cosentLoss(first: $0[0], second: $0[1], scores: labels()) },
            "AnglE": { try angleLoss(first: $0[0], second: $0[1], scores: labels()) },
            "cosine similarity": { try cosineSimilarityLoss(first: $0[0], second: $0[1], scores: labels()) },
            "margin MSE": {
                try marginMSELoss(
                    queries: $0[0], positives: $0[1], negatives: [$0[1].flipped(axes: [0])],
                    teacherMargins: Tensor.ones([6, 1], dtype: .float64))
            },
            "similarity distillation": {
                let teacher = Tensor.normal([6, 3], generator: Generator(seed: 5), dtype: .float64)
                return try similarityDistillationLoss(
                    studentFirst: $0[0], studentSecond: $0[1], teacherFirst: teacher, teacherSecond: teacher)
            },
            "ArcFace": {
                try MarginHead(weight: $0[1], margin: .arcFace(degrees: 20), scale: 4)($0[0], labels: labels())
            },
            "CosFace": { try MarginHead(weight: $0[1], margin: .cosFace(), scale: 4)($0[0], labels: labels()) },
            "proxy anchor": { try ProxyAnchor(proxies: $0[1], scale: 4)($0[0], labels: labels()) },
            "Barlow Twins": { try barlowTwinsLoss(first: $0[0], second: $0[1]).total },
            "VICReg": { try vicRegLoss(first: $0[0], second: $0[1]).total },
        ]
        losses["batchHard triplets, Euclidean"] = {
            try TripletMarginLoss(margin: 0.3, mining: .batchHard)($0[0], $0[1], labels: labels())
        }
        let minings: [TripletMining] = [.any, .all, .hard, .semiHard, .easy, .batchHard, .batchSemiHard]
        for mining in minings {
            for penalty in [TripletPenalty.hinge, .softplus] {
                losses["\(mining) triplets, \(penalty), whole"] = {
                    try TripletMarginLoss(margin: 0.3, distance: .cosine, penalty: penalty, mining: mining)(
                        $0[0], $0[1], labels: labels())
                }
                losses["\(mining) triplets, \(penalty), in blocks"] = {
                    try tripletLoss(
                        anchors: $0[0], candidates: $0[1], anchorLabels: labels(), candidateLabels: labels(),
                        margin: 0.3,
                        distance: .cosine, penalty: penalty, mining: mining)
                }
            }
        }
        return losses
    }()

    private static func leaves() -> [Tensor] {
        [randomLeaf([6, 4], seed: 11, dtype: .float64), randomLeaf([6, 4], seed: 12, dtype: .float64)]
    }

    /// Along a direction, the derivative of the gradient is what the gradient changes by.
    @Test(arguments: losses.keys.sorted()) func followTheGradient(_ name: String) throws {
        let loss = try #require(Self.losses[name])
        let inputs = Self.leaves()
        let direction = [31, 32].map { Tensor.normal([6, 4], generator: Generator(seed: $0), dtype: .float64) }

        func gradient(at step: Double) throws -> [Double] {
            let moved = zip(inputs, direction).map { input, direction in
                let moved = input.detached() + direction * step
                moved.requiresGradient = true
                return moved
            }
            let gradients = Tensor.gradients(of: [try loss(moved)], withRespectTo: moved)
            return zip(gradients, moved).flatMap { ($0 ?? .zeros(like: $1)).scalars(as: Double.self) }
        }
        let step = 1e-5
        let expected = try zip(gradient(at: step), gradient(at: -step)).map { ($0 - $1) / (2 * step) }

        let first = Tensor.gradients(of: [try loss(inputs)], withRespectTo: inputs, creatingGraph: true)
        var along = Tensor(0, dtype: .float64)
        for (gradient, direction) in zip(first, direction) {
            if let gradient { along = along + (gradient * direction).sum() }
        }
        // A loss that is linear in its inputs has no second derivative to ask for.
        let second = along.requiresGradient ? Tensor.gradients(of: [along], withRespectTo: inputs) : [nil, nil]
        let found = zip(second, inputs).flatMap { ($0 ?? .zeros(like: $1)).scalars(as: Double.self) }
        let largest = expected.map(abs).max() ?? 0
        expectClose(found, expected, absolute: 1e-7 * max(1, largest), name)
        if name.contains("softplus") { #expect(largest > 1e-3) }
    }

    /// A batch of which some triplets are in one slice of the work and some in another, and the third derivative.
    @Test func softplusOfSlices() throws {
        let x = randomLeaf([40, 4], seed: 3, dtype: .float64), labels = Tensor((0..<40).map { $0 % 4 })
        let distance = EmbeddingDistance.cosine
        let loss = try TripletMarginLoss(margin: 0.2, distance: distance, penalty: .softplus, mining: .any)(
            x, labels: labels)
        // All triplets at once, by automatic differentiation.
        let unit = x.normalized(), distances = 1 - unit.matmul(unit.transposed(0, 1))
        let same = labels.unsqueezed(1).equal(to: labels), other = Tensor.identity(40, dtype: .bool).logicalNot()
        let violations = distances.unsqueezed(2) - distances.unsqueezed(1) + 0.2
        let isTriplet = same.logicalAnd(other).unsqueezed(2).logicalAnd(same.logicalNot().unsqueezed(1))
        let whole = (violations.softplus() * isTriplet).sum() / isTriplet.sum()

        func derivatives(_ loss: Tensor) throws -> [[Double]] {
            var results: [[Double]] = [], value = loss
            for seed in 0..<3 {
                let gradient = try #require(
                    Tensor.gradients(of: [value], withRespectTo: [x], creatingGraph: true)[0])
                results.append(gradient.scalars(as: Double.self))
                value = (gradient * Tensor.normal([40, 4], generator: Generator(seed: UInt64(seed)), dtype: .float64))
                    .sum()
            }
            return results
        }
        for (order, (found, expected)) in try zip(derivatives(loss), derivatives(whole)).enumerated() {
            let largest = expected.map(abs).max() ?? 0
            #expect(largest > 1e-4)
            expectClose(found, expected, absolute: 1e-9 * largest, "derivative \(order + 1)")
        }
    }

    /// What is computed with its gradients says so, instead of leaving a part out.
    @Test func areRefusedWhereGradientsCameWithTheLoss() throws {
        let softplus = try TripletMarginLoss(distance: .cosine, penalty: .softplus)
        let losses: [(String, Loss)] = [
            ("tiled", { try InfoNCE(temperature: 0.1)($0[0], $0[1], plan: .tiled(rows: 4)) }),
            (
                "tiled by autograd",
                { try InfoNCE(temperature: 0.1)($0[0], $0[1], labels: Tensor(Self.labels), plan: .tiled(rows: 4)) }
            ),
            (
                "tiled sigmoid",
                {
                    try SigmoidLoss(logitScale: Tensor(1), logitBias: Tensor(-1))($0[0], $0[1], plan: .tiled(rows: 4))
                }
            ),
            ("tiled triplets", { try softplus($0[0], $0[1], labels: Tensor(Self.labels), plan: .tiled(rows: 4)) }),
            (
                "captions",
                { try CaptionLoss(ignoredLabel: -1)(states: $0[0], head: $0[1], labels: Tensor(Self.labels)) }
            ),
        ]
        for (name, loss) in losses {
            let inputs = Self.leaves(), value = try loss(inputs)
            expectError(.tensorOperation, naming: ["second derivatives", "plan dense"]) {
                _ = try withTensorErrors {
                    Tensor.gradients(of: [value], withRespectTo: inputs, retainingGraph: true, creatingGraph: true)
                }
            }
            // First ones are there all the same.
            #expect(Tensor.gradients(of: [value], withRespectTo: inputs).allSatisfy { $0 != nil }, "\(name)")
        }
    }

    /// libtorch's own distances have none.
    @Test func areRefusedOfEuclideanDistancesInFloat64() throws {
        let inputs = Self.leaves(), labels = Tensor(Self.labels)
        let losses = try [
            tripletLoss(embeddings: inputs[0], labels: labels, penalty: .softplus, mining: .any),
            tripletLoss(embeddings: inputs[0], labels: labels, mining: .batchSemiHard),
            contrastiveLoss(embeddings: inputs[0], labels: labels),
        ]
        for loss in losses {
            expectError(.tensorOperation, naming: ["cdist_backward", "not implemented"]) {
                _ = try withTensorErrors {
                    let gradient = Tensor.gradients(of: [loss], withRespectTo: [inputs[0]], creatingGraph: true)[0]
                    if let gradient { _ = Tensor.gradients(of: [gradient.square().sum()], withRespectTo: [inputs[0]]) }
                }
            }
        }
    }
}
