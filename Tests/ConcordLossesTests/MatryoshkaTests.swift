import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Testing

@Suite struct MatryoshkaTests {
    @Test(
        arguments: [("equal", [8, 4, 2], nil), ("weighted", [3, 8, 1], [0.5, 2, 0.25])] as [(String, [Int], [Double]?)])
    func equalsThePeer(name: String, dimensions: [Int], weights: [Double]?) throws {
        let golden = try PairGolden("matryoshka_losses")
        let scores = try golden.tensor("scores")
        for dtype in [DType.float64, .float32] {
            let first = try golden.leaf("first", dtype), second = try golden.leaf("second", dtype)
            let loss = try matryoshkaLoss(
                embeddings: [first, second], dimensions: dimensions, weights: weights
            ) { cut throws(ConcordError) in
                try cosentLoss(first: cut[0], second: cut[1], scores: scores)
            }
            try golden.expect(loss, name, [(first, "gradient"), (second, "secondGradient")])
        }
    }

    /// What the body sees: leading columns, of length 1 or as they were.
    @Test func bodySeesShortenedEmbeddings() throws {
        let first = randomLeaf([3, 6]), second = randomLeaf([5, 6], seed: 2)
        var seen: [[[Int]]] = []
        _ = try matryoshkaLoss(embeddings: [first, second], dimensions: [6, 2]) { cut throws(ConcordError) in
            seen.append(cut.map(\.shape))
            expectClose(cut[1].norm(axes: [1]).scalars(as: Double.self), [1, 1, 1, 1, 1], absolute: 1e-6)
            return cut[0].sum()
        }
        #expect(seen == [[[3, 6], [5, 6]], [[3, 2], [5, 2]]])
        let plain = try matryoshkaLoss(
            embeddings: [first], dimensions: [2, 1], weights: [1, 3], normalizing: false
        ) { cut throws(ConcordError) in cut[0].sum() }
        let columns = first.detached().sum(axes: [0]).scalars(as: Double.self)
        expectClose([plain.item()], [4 * columns[0] + columns[1]], absolute: 1e-6)
    }

    @Test func halfPrecisionAndZerosAreFinite() throws {
        for dtype in [DType.bfloat16, .float16] {
            let first = randomLeaf([4, 6], dtype: dtype)
            let loss = try matryoshkaLoss(embeddings: [first], dimensions: [6, 3]) { cut throws(ConcordError) in
                #expect(cut[0].dtype == .float32)
                return try multiSimilarityLoss(embeddings: cut[0], labels: Tensor([0, 0, 1, 1]))
            }
            #expect(loss.dtype == .float32)
            expectFinite(loss, [first])
        }
        // The leading columns of an embedding may be zeros although the whole is not.
        let sparse = Tensor([0.0, 0, 1, 1, 2, 3], shape: [2, 3])
        sparse.requiresGradient = true
        let loss = try matryoshkaLoss(embeddings: [sparse], dimensions: [3, 2]) { cut throws(ConcordError) in
            try contrastiveLoss(embeddings: cut[0], labels: Tensor([0, 0]))
        }
        expectFinite(loss, [sparse])
    }

    @Test func errorsOfTheBodyPass() {
        expectError(.missingPositive, naming: ["from the body"]) {
            _ = try matryoshkaLoss(embeddings: [.ones([2, 3])], dimensions: [3]) { _ throws(ConcordError) in
                throw ConcordError(.missingPositive, "from the body")
            }
        }
    }

    @Test func badInputIsNamed() {
        func run(_ embeddings: [Tensor], _ dimensions: [Int], _ weights: [Double]? = nil) throws {
            _ = try matryoshkaLoss(embeddings: embeddings, dimensions: dimensions, weights: weights) {
                cut throws(ConcordError) in cut[0].sum()
            }
        }
        let rows = Tensor.ones([2, 4])
        expectError(.emptyBatch, naming: ["embeddings"]) { try run([], [2]) }
        expectError(.shapeMismatch, naming: ["embeddings[0]", "[2, 4]", "embeddings[1]", "[2, 5]"]) {
            try run([rows, .ones([2, 5])], [2])
        }
        expectError(.dtypeMismatch, naming: ["embeddings[1]", "float64"]) { try run([rows, rows.to(.float64)], [2]) }
        expectError(.nonFiniteValue, naming: ["embeddings[1]", "nan"]) { try run([rows, .full([2, 4], .nan)], [2]) }
        expectError(.invalidArgument, naming: ["dimensions is empty"]) { try run([rows], []) }
        expectError(.invalidArgument, naming: ["dimensions[1] is 0"]) { try run([rows], [4, 0]) }
        expectError(.invalidArgument, naming: ["dimensions[0] is -2"]) { try run([rows], [-2]) }
        expectError(.invalidArgument, naming: ["dimensions[0] is 5", "width of 4"]) { try run([rows], [5]) }
        expectError(.invalidArgument, naming: ["dimensions[2] is 3", "dimensions[0]"]) { try run([rows], [3, 2, 3]) }
        expectError(.invalidArgument, naming: ["weights has 1", "2 dimensions"]) { try run([rows], [4, 2], [1]) }
        expectError(.invalidArgument, naming: ["weights[1] is -1"]) { try run([rows], [4, 2], [1, -1]) }
    }
}
