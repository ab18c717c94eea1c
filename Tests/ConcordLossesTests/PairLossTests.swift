import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Testing

/// A loss over a labelled batch, and what it may be compared with.
typealias LabelledLoss =
    @Sendable (
        _ embeddings: Tensor, _ labels: Tensor, _ reference: Tensor?, _ referenceLabels: Tensor?, _ ownRows: Tensor?
    ) throws -> Tensor

@Suite struct PairLossTests {
    /// The cases of make_pair_losses.py that take a reference.
    private static let losses: [String: LabelledLoss] = [
        "contrastive": {
            try contrastiveLoss(embeddings: $0, labels: $1, reference: $2, referenceLabels: $3, ownRows: $4)
        },
        "contrastive_margins": {
            try contrastiveLoss(
                embeddings: $0, labels: $1, reference: $2, referenceLabels: $3, ownRows: $4, positiveMargin: 0.4,
                negativeMargin: 1.3)
        },
        "contrastive_plain": {
            try contrastiveLoss(
                embeddings: $0, labels: $1, reference: $2, referenceLabels: $3, ownRows: $4, negativeMargin: 3,
                normalizing: false)
        },
        "contrastive_cosine": {
            try contrastiveLoss(
                embeddings: $0, labels: $1, reference: $2, referenceLabels: $3, ownRows: $4, measure: .dotProduct,
                positiveMargin: 0.9, negativeMargin: 0.1)
        },
        "circle": { try circleLoss(embeddings: $0, labels: $1, reference: $2, referenceLabels: $3, ownRows: $4) },
        "circle_faces": {
            try circleLoss(
                embeddings: $0, labels: $1, reference: $2, referenceLabels: $3, ownRows: $4, margin: 0.25, scale: 256)
        },
        "multi_similarity": {
            try multiSimilarityLoss(embeddings: $0, labels: $1, reference: $2, referenceLabels: $3, ownRows: $4)
        },
        "multi_similarity_other": {
            try multiSimilarityLoss(
                embeddings: $0, labels: $1, reference: $2, referenceLabels: $3, ownRows: $4, alpha: 3, beta: 20,
                base: 0.7)
        },
    ]
    private static let names = losses.keys.sorted()

    @Test(arguments: names, ["plain", "learned", "tied", "large"])
    func equalsThePeerWithinABatch(name: String, set: String) throws {
        let golden = try PairGolden("pair_losses")
        let loss = try #require(Self.losses[name])
        let embeddings = try golden.leaf(set + ".embeddings"), labels = try golden.labels(set + ".labels")
        try golden.expect(
            loss(embeddings, labels, nil, nil, nil), "\(set).\(name)", [(embeddings, "gradient")])
    }

    @Test(arguments: names, ["plain", "learned", "large"])
    func equalsThePeerInFloat32(name: String, set: String) throws {
        let golden = try PairGolden("pair_losses")
        let loss = try #require(Self.losses[name])
        let embeddings = try golden.leaf(set + ".embeddings", .float32), labels = try golden.labels(set + ".labels")
        let value = try loss(embeddings, labels, nil, nil, nil)
        #expect(value.dtype == .float32)
        try golden.expect(value, "\(set).\(name)", [(embeddings, "gradient")])
    }

    @Test(arguments: names)
    func equalsThePeerWithAReference(name: String) throws {
        let golden = try PairGolden("pair_losses")
        let loss = try #require(Self.losses[name])
        let embeddings = try golden.leaf("plain.embeddings"), labels = try golden.labels("plain.labels")
        let reference = try golden.leaf("reference.embeddings")
        let referenceLabels = try golden.labels("reference.labels")
        try golden.expect(
            loss(embeddings, labels, reference, referenceLabels, nil), "reference.\(name)",
            [(embeddings, "gradient"), (reference, "referenceGradient")])
    }

    /// The batch as its own reference, with every row left out for itself, is the loss within the batch.
    @Test(arguments: names)
    func ownRowsAreLeftOut(name: String) throws {
        let golden = try PairGolden("pair_losses")
        let loss = try #require(Self.losses[name])
        let labels = try golden.labels("tied.labels")
        let embeddings = try golden.tensor("tied.embeddings")
        let within = try loss(embeddings, labels, nil, nil, nil).item()
        let own = Tensor.arange(10)
        let order = Tensor([9, 8, 7, 6, 5, 4, 3, 2, 1, 0])
        let reversed = try loss(
            embeddings, labels, embeddings.flipped(axes: [0]), labels.flipped(axes: [0]), order)
        expectClose([reversed.item()], [within], absolute: 0, relative: 1e-12)
        let unchanged = try loss(embeddings, labels, embeddings, labels, own)
        expectClose([unchanged.item()], [within], absolute: 0, relative: 1e-12)
        // -1 leaves nothing out. The reference is moved, since a pair at distance 0 costs nothing anyway.
        let moved = embeddings + 0.5
        let everything = try loss(embeddings, labels, moved, labels, .full([10], -1, dtype: .int64)).item()
        #expect(try everything == loss(embeddings, labels, moved, labels, nil).item())
        #expect(try everything != loss(embeddings, labels, moved, labels, own).item())
    }

    @Test(arguments: ["plain", "learned", "tied", "large"])
    func nPairsEqualsThePeer(set: String) throws {
        let golden = try PairGolden("pair_losses")
        let embeddings = try golden.leaf(set + ".embeddings"), labels = try golden.labels(set + ".labels")
        try golden.expect(
            nPairsLoss(embeddings: embeddings, labels: labels), "\(set).n_pairs", [(embeddings, "gradient")])
        try golden.expect(
            nPairsLoss(embeddings: embeddings, labels: labels, normalizing: false), "\(set).n_pairs_plain",
            [(embeddings, "gradient")])
    }

    /// A scalar product's margins are by default those of cosines: 1 to reach, 0 not to exceed.
    @Test func defaultMarginsFollowTheMeasure() throws {
        let embeddings = Tensor([1.0, 0, 0.6, 0.8, 0, 1], shape: [3, 2]), labels = Tensor([0, 0, 1])
        let loss = try contrastiveLoss(embeddings: embeddings, labels: labels, measure: .dotProduct)
        // One positive pair of cosine 0.6; of the negatives the cosine 0.8 counts and 0 does not.
        #expect(abs(loss.item() - (0.4 + 0.8)) < 1e-15)
    }

    // MARK: - Edges

    /// Batches in which a loss has nothing to do: 0, with a gradient of zeros.
    @Test(arguments: names)
    func noPairsCostNothing(name: String) throws {
        let loss = try #require(Self.losses[name])
        let single = randomLeaf([1, 4])
        let nothing = try loss(single, Tensor([3]), nil, nil, nil)
        #expect(nothing.item() == 0)
        nothing.backward()
        #expect(single.gradient?.abs().sum().item() == 0)
    }

    @Test func nPairsWithoutAPairCostNothing() throws {
        let embeddings = randomLeaf([3, 4])
        let nothing = try nPairsLoss(embeddings: embeddings, labels: Tensor([3, 1, 2]))
        #expect(nothing.item() == 0)
        nothing.backward()
        #expect(embeddings.gradient?.abs().sum().item() == 0)
    }

    /// The circle loss needs both kinds of pair in a row.
    @Test(arguments: [[1, 1, 1], [1, 2, 3]])
    func circleNeedsBothKinds(labels: [Int]) throws {
        let embeddings = randomLeaf([3, 4])
        let nothing = try circleLoss(embeddings: embeddings, labels: Tensor(labels))
        #expect(nothing.item() == 0)
        nothing.backward()
        #expect(embeddings.gradient?.abs().sum().item() == 0)
    }

    /// One pair with a reference counts; the peer takes it for an empty batch.
    @Test func aSinglePairCounts() throws {
        let row = Tensor([1.0, 0], shape: [1, 2]), other = Tensor([0.0, 1], shape: [1, 2])
        let loss = try contrastiveLoss(
            embeddings: row, labels: Tensor([0]), reference: other, referenceLabels: Tensor([0]))
        #expect(abs(loss.item() - 2.0.squareRoot()) < 1e-15)
        let similarity = try multiSimilarityLoss(
            embeddings: row, labels: Tensor([0]), reference: other, referenceLabels: Tensor([0]))
        #expect(similarity.item() > 0)
    }

    /// Equal rows, opposite rows and zero vectors, in batches below and above torch's two ways to compute distances.
    @Test(arguments: names, [DType.float32, .float64])
    func hardRowsAreFinite(name: String, dtype: DType) throws {
        let loss = try #require(Self.losses[name])
        for count in [7, 33] {
            let rows = Tensor.normal([count, 5], generator: Generator(seed: 2)).to(dtype)
            rows.selected(axis: 0, at: 1).copy(from: rows.selected(axis: 0, at: 0))
            rows.selected(axis: 0, at: 2).copy(from: -rows.selected(axis: 0, at: 0))
            rows.selected(axis: 0, at: 3).zero()
            rows.selected(axis: 0, at: 4).zero()
            rows.requiresGradient = true
            let labels = Tensor((0..<count).map { $0 % 3 })
            expectFinite(try loss(rows, labels, nil, nil, nil), [rows], name)
            expectFinite(try loss(rows, Tensor((0..<count).map { $0 / 2 }), nil, nil, nil), [rows], name)
        }
        let equal = Tensor.ones([4, 5], dtype: dtype)
        equal.requiresGradient = true
        expectFinite(try loss(equal, Tensor([0, 0, 1, 1]), nil, nil, nil), [equal], name)
    }

    @Test(arguments: names, [DType.bfloat16, .float16])
    func halfPrecisionIsComputedInFloat32(name: String, dtype: DType) throws {
        let loss = try #require(Self.losses[name])
        let half = randomLeaf([8, 6], dtype: dtype)
        let labels = Tensor([0, 1, 0, 2, 1, 0, 2, 2])
        let value = try loss(half, labels, nil, nil, nil)
        #expect(value.dtype == .float32)
        let wide = half.detached().to(.float32)
        #expect(try value.item() == loss(wide, labels, nil, nil, nil).item())
        // Half-precision rows beside a queue in float32 are comparable.
        #expect(try loss(half, labels, wide, labels, .arange(8)).dtype == .float32)
        expectFinite(value, [half], name)
        // Nor does a scope of mixed precision lower it.
        let scoped = try autocast(dtype) { try loss(wide, labels, nil, nil, nil) }
        #expect(scoped.item() == value.item())
    }

    // MARK: - Bad input

    @Test(arguments: names)
    func badBatchesAreNamed(name: String) throws {
        let loss = try #require(Self.losses[name])
        let embeddings = Tensor.ones([4, 3]), labels = Tensor([0, 0, 1, 1])
        expectError(.shapeMismatch, naming: ["embeddings", "[4]"]) {
            _ = try loss(.ones([4]), labels, nil, nil, nil)
        }
        expectError(.dtypeMismatch, naming: ["embeddings", "int64", "[4, 3]"]) {
            _ = try loss(embeddings.to(.int64), labels, nil, nil, nil)
        }
        expectError(.emptyBatch, naming: ["embeddings", "[0, 3]"]) {
            _ = try loss(.ones([0, 3]), Tensor([Int]()), nil, nil, nil)
        }
        expectError(.shapeMismatch, naming: ["labels", "[3]", "[4, 3]"]) {
            _ = try loss(embeddings, Tensor([0, 0, 1]), nil, nil, nil)
        }
        expectError(.dtypeMismatch, naming: ["labels", "float32"]) {
            _ = try loss(embeddings, .ones([4]), nil, nil, nil)
        }
        let broken = embeddings.cloned()
        broken.selected(axis: 0, at: 2).selected(axis: 0, at: 1).fill(.nan)
        expectError(.nonFiniteValue, naming: ["embeddings", "[2, 1]", "[4, 3]"]) {
            _ = try loss(broken, labels, nil, nil, nil)
        }
    }

    @Test(arguments: names)
    func badReferencesAreNamed(name: String) throws {
        let loss = try #require(Self.losses[name])
        let embeddings = Tensor.ones([4, 3]), labels = Tensor([0, 0, 1, 1])
        let reference = Tensor.ones([2, 3]), referenceLabels = Tensor([0, 1])
        expectError(.invalidArgument, naming: ["reference ", "[2, 3]", "referenceLabels"]) {
            _ = try loss(embeddings, labels, reference, nil, nil)
        }
        expectError(.invalidArgument, naming: ["referenceLabels", "without reference"]) {
            _ = try loss(embeddings, labels, nil, referenceLabels, nil)
        }
        expectError(.invalidArgument, naming: ["ownRows", "without reference"]) {
            _ = try loss(embeddings, labels, nil, nil, labels)
        }
        expectError(.shapeMismatch, naming: ["reference", "[2, 5]", "[4, 3]"]) {
            _ = try loss(embeddings, labels, .ones([2, 5]), referenceLabels, nil)
        }
        expectError(.dtypeMismatch, naming: ["reference", "float64", "float32"]) {
            _ = try loss(embeddings, labels, reference.to(.float64), referenceLabels, nil)
        }
        expectError(.shapeMismatch, naming: ["referenceLabels", "[4]", "[2, 3]"]) {
            _ = try loss(embeddings, labels, reference, labels, nil)
        }
        expectError(.shapeMismatch, naming: ["ownRows", "[2]", "[4, 3]"]) {
            _ = try loss(embeddings, labels, reference, referenceLabels, referenceLabels)
        }
        for (value, place) in [(2, 3), (-2, 0), (Int.max, 1)] {
            var own = [-1, 0, 1, -1]
            own[place] = value
            expectError(.invalidArgument, naming: ["ownRows", "[4]", "\(value) at [\(place)]", "0..<2"]) {
                _ = try loss(embeddings, labels, reference, referenceLabels, Tensor(own))
            }
        }
        expectError(.nonFiniteValue, naming: ["reference", "inf", "[0, 0]"]) {
            _ = try loss(embeddings, labels, .full([2, 3], .infinity), referenceLabels, nil)
        }
    }

    @Test func badNumbersAreNamed() {
        let embeddings = Tensor.ones([2, 3]), labels = Tensor([0, 1])
        expectError(.invalidArgument, naming: ["positiveMargin", "nan"]) {
            _ = try contrastiveLoss(embeddings: embeddings, labels: labels, positiveMargin: .nan)
        }
        expectError(.invalidArgument, naming: ["negativeMargin", "inf"]) {
            _ = try contrastiveLoss(embeddings: embeddings, labels: labels, negativeMargin: .infinity)
        }
        expectError(.invalidArgument, naming: ["margin", "nan"]) {
            _ = try circleLoss(embeddings: embeddings, labels: labels, margin: .nan)
        }
        expectError(.invalidArgument, naming: ["scale", "0"]) {
            _ = try circleLoss(embeddings: embeddings, labels: labels, scale: 0)
        }
        expectError(.invalidArgument, naming: ["alpha", "-1"]) {
            _ = try multiSimilarityLoss(embeddings: embeddings, labels: labels, alpha: -1)
        }
        expectError(.invalidArgument, naming: ["beta", "0"]) {
            _ = try multiSimilarityLoss(embeddings: embeddings, labels: labels, beta: 0)
        }
        expectError(.invalidArgument, naming: ["base", "inf"]) {
            _ = try multiSimilarityLoss(embeddings: embeddings, labels: labels, base: .infinity)
        }
        expectError(.shapeMismatch, naming: ["labels", "[3]", "[2, 3]"]) {
            _ = try nPairsLoss(embeddings: embeddings, labels: Tensor([0, 1, 2]))
        }
    }
}
