import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Testing

/// The caption loss against PyTorch's cross-entropy of the whole scores; `scripts/golden/make_coca.py` made the file.
@Suite struct CaptionLossTests {
    static let cases: [(ignored: Int, smoothing: Double)] = [(0, 0), (0, 0.1), (3, 0), (3, 0.1)]

    private struct Setup {
        let golden: PairGolden
        let states, head, labels: Tensor

        init(_ dtype: DType) throws {
            golden = try PairGolden("caption")
            states = try golden.leaf("states", dtype)
            head = try golden.leaf("head", dtype)
            labels = try golden.labels("labels").reshaped([4, 6])
        }
    }

    /// Whatever the size of the blocks: one token, a part of the tokens, more than there are.
    @Test(arguments: cases, [1, 5, 256])
    func lossAndGradientsArePyTorchs(_ item: (ignored: Int, smoothing: Double), _ block: Int) throws {
        for dtype in [DType.float64, .float32] {
            let setup = try Setup(dtype)
            var loss = CaptionLoss(ignoredLabel: item.ignored, labelSmoothing: item.smoothing)
            loss.blockTokens = block
            let value = try loss(states: setup.states, head: setup.head, labels: setup.labels)
            #expect(value.dtype == dtype)
            try setup.golden.expect(
                value, "ignore-\(item.ignored).smoothing-\(item.smoothing)",
                [(setup.states, "states"), (setup.head, "head")])
        }
    }

    /// Scores of about 100 whose tokens are nearly certain: the digits of a small loss are not lost in theirs.
    @Test(arguments: [0, 0.1]) func largeScoresKeepTheDigitsOfASmallLoss(_ smoothing: Double) throws {
        let vocabulary = 50, count = 600
        let tokens = Tensor((0..<count).map { 1 + $0 % (vocabulary - 1) })
        let own = Tensor.zeros([count, vocabulary], dtype: .float64)
            .scattered(axis: 1, tokens.unsqueezed(1), .full([count, 1], 10, dtype: .float64))
        let noise = Tensor.normal([count, vocabulary], generator: Generator(seed: 2), dtype: .float64) / 2
        let states = Tensor.concatenated([own + noise, .full([count, 1], 90, dtype: .float64)], axis: 1)
        let head = Tensor.concatenated(
            [.identity(vocabulary, dtype: .float64), .ones([vocabulary, 1], dtype: .float64)], axis: 1)
        func run(_ dtype: DType) throws -> (loss: Double, gradients: [Tensor]) {
            let inputs = [states.to(.float32).to(dtype), head.to(dtype)].map { $0.detached() }
            for input in inputs { input.requiresGradient = true }
            let loss = try CaptionLoss(labelSmoothing: smoothing)(states: inputs[0], head: inputs[1], labels: tokens)
            loss.backward()
            return (loss.item(), inputs.compactMap { $0.gradient?.to(.float64) })
        }
        let exact = try run(.float64), found = try run(.float32)
        #expect(smoothing > 0 || exact.loss < 0.01)
        #expect(abs(found.loss - exact.loss) < 5e-5 * exact.loss)
        for (gradient, expected) in zip(found.gradients, exact.gradients) {
            // The last column of the states is multiplied by what sums to 0.
            #expect((gradient - expected).abs().max().item() < 5e-5 * expected.abs().max().item())
        }
    }

    @Test func gradientFollowsWhatIsMadeOfTheLoss() throws {
        let one = try Setup(.float64), other = try Setup(.float64)
        let loss = CaptionLoss()
        try loss(states: one.states, head: one.head, labels: one.labels).backward()
        (try loss(states: other.states * 2, head: other.head, labels: other.labels) * 3).backward()
        let doubled = Tensor.linear(one.states.detached() * 2, weight: one.head.detached())
        doubled.requiresGradient = true
        Tensor.crossEntropy(
            doubled.reshaped([24, 11]), targets: one.labels.reshaped([24]), ignoreIndex: 0
        ).backward()
        let slopes = try #require(doubled.gradient)
        expectClose(
            try #require(other.states.gradient).scalars(as: Double.self),
            (slopes.matmul(one.head.detached()) * 6).scalars(as: Double.self), absolute: 1e-13)
        // Only one of the two wants a gradient.
        let frozen = try Setup(.float64)
        frozen.head.requiresGradient = false
        try loss(states: frozen.states, head: frozen.head, labels: frozen.labels).backward()
        #expect(frozen.head.gradient == nil)
        expectClose(
            try #require(frozen.states.gradient).scalars(as: Double.self),
            try #require(one.states.gradient).scalars(as: Double.self), absolute: 0)
    }

    @Test(arguments: [DType.bfloat16, .float16])
    func halfPrecisionIsComputedInFloat32(_ dtype: DType) throws {
        let setup = try Setup(.float32)
        let states = setup.states.detached().to(dtype), head = setup.head.detached().to(dtype)
        states.requiresGradient = true
        head.requiresGradient = true
        let value = try CaptionLoss()(states: states, head: head, labels: setup.labels)
        #expect(value.dtype == .float32)
        value.backward()
        let wide = (states.detached().to(.float32), head.detached().to(.float32))
        let expected = try CaptionLoss()(states: wide.0, head: wide.1, labels: setup.labels)
        expectClose([value.item()], [expected.item()], absolute: 0, relative: 1e-6)
        #expect(states.gradient?.dtype == dtype && head.gradient?.dtype == dtype)
    }

    /// Scores of ±10⁴, equal scores, one token.
    @Test func extremesAreFinite() throws {
        let head = Tensor([100.0, -100, 0], shape: [3, 1]).to(.float32)
        for (value, expected) in [(100.0, 20000.0), (0, 1.0986122886681098), (-100, 0)] {
            let states = Tensor([value], shape: [1, 1]).to(.float32)
            states.requiresGradient = true
            let loss = try CaptionLoss()(states: states, head: head, labels: Tensor([1]))
            expectClose([loss.item()], [expected], absolute: 1e-6, relative: 1e-6)
            loss.backward()
            #expect(states.gradient?.item().isFinite == true)
        }
    }

    // Bad input

    private func expect(
        _ code: ConcordError.Code, _ parts: [String], loss: CaptionLoss = CaptionLoss(),
        states: Tensor = .ones([2, 3, 4]), head: Tensor = .ones([5, 4]), labels: Tensor = .ones([2, 3], dtype: .int64),
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        expectError(code, naming: parts, sourceLocation: sourceLocation) { () throws(ConcordError) in
            _ = try loss(states: states, head: head, labels: labels)
        }
    }

    @Test func wrongInputIsNamed() {
        expect(.shapeMismatch, ["states", "[4]"], states: .ones([4]), labels: .ones([], dtype: .int64))
        expect(.shapeMismatch, ["head", "[5]"], head: .ones([5]))
        expect(.shapeMismatch, ["states", "[2, 3, 4]", "head", "[5, 3]"], head: .ones([5, 3]))
        expect(.shapeMismatch, ["labels", "[2, 4]", "[2, 3, 4]"], labels: .ones([2, 4], dtype: .int64))
        expect(.dtypeMismatch, ["labels", "float32"], labels: .ones([2, 3]))
        expect(.dtypeMismatch, ["states", "int64"], states: .ones([2, 3, 4], dtype: .int64))
        expect(.dtypeMismatch, ["states", "head", "float64"], head: .ones([5, 4], dtype: .float64))
        expect(.emptyBatch, ["labels", "[2, 3]", "are 0"], labels: .zeros([2, 3], dtype: .int64))
        expect(.emptyBatch, ["labels", "[0, 3]"], states: .ones([0, 3, 4]), labels: .ones([0, 3], dtype: .int64))
        expect(.emptyBatch, ["head", "[0, 4]"], head: .ones([0, 4]))
        expect(
            .invalidArgument, ["labels", "holds 5", "[1, 0]", "0..<5"],
            labels: Tensor([1, 2, 3, 5, 1, -1], shape: [2, 3]))
        expect(.nonFiniteValue, ["states", "[2, 3, 4]", "nan"], states: .full([2, 3, 4], .nan))
        expect(.nonFiniteValue, ["head", "[5, 4]", "inf"], head: .full([5, 4], .infinity))
        expect(.invalidArgument, ["labelSmoothing", "1.0"], loss: CaptionLoss(labelSmoothing: 1))
        var loss = CaptionLoss()
        loss.blockTokens = 0
        expect(.invalidArgument, ["blockTokens", "0"], loss: loss)
    }

    /// A label that does not count may lie outside the vocabulary, as PyTorch's -100.
    @Test func ignoredLabelMayBeAnyNumber() throws {
        let states = Tensor.ones([3, 4]), head = Tensor.ones([5, 4])
        let loss = try CaptionLoss(ignoredLabel: -100)(states: states, head: head, labels: Tensor([1, -100, 4]))
        expectClose([loss.item()], [1.6094379124341003], absolute: 1e-6)
    }
}
