import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Testing

@Suite struct RedundancyTests {
    typealias ViewLoss = @Sendable (_ first: Tensor, _ second: Tensor) throws -> Tensor

    private static let losses: [String: ViewLoss] = [
        "vicreg": { try vicRegLoss(first: $0, second: $1).total },
        "vicreg_other": {
            try vicRegLoss(
                first: $0, second: $1, invarianceWeight: 2, varianceWeight: 10, covarianceWeight: 3, epsilon: 0.01
            ).total
        },
        "barlow": { try barlowTwinsLoss(first: $0, second: $1).total },
        "barlow_other": { try barlowTwinsLoss(first: $0, second: $1, redundancyWeight: 0.3).total },
    ]
    private static let names = losses.keys.sorted()

    @Test(arguments: names, [DType.float64, .float32])
    func equalsThePeer(name: String, dtype: DType) throws {
        let golden = try PairGolden("redundancy_losses")
        let loss = try #require(Self.losses[name])
        let first = try golden.leaf("first", dtype), second = try golden.leaf("second", dtype)
        let value = try loss(first, second)
        #expect(value.dtype == dtype)
        try golden.expect(value, name, [(first, "gradient"), (second, "secondGradient")])
    }

    @Test func termsEqualThePeer() throws {
        let golden = try PairGolden("redundancy_losses")
        let first = try golden.tensor("first"), second = try golden.tensor("second")
        let vicReg = try vicRegLoss(first: first, second: second)
        let barlow = try barlowTwinsLoss(first: first, second: second)
        for (name, value) in [
            ("vicreg.invariance", vicReg.invariance), ("vicreg.variance", vicReg.variance),
            ("vicreg.covariance", vicReg.covariance), ("barlow.invariance", barlow.invariance),
        ] {
            expectClose(
                [value.item()], [try golden.tensor(name).item()], absolute: 1e-12, relative: 1e-10, name)
        }
        expectClose(
            [barlow.total.item()], [barlow.invariance.item() + 5e-3 * barlow.redundancy.item()], absolute: 1e-12)
        expectClose(
            [vicReg.total.item()],
            [25 * vicReg.invariance.item() + 25 * vicReg.variance.item() + vicReg.covariance.item()], absolute: 1e-12)
    }

    /// Collapsed views: all rows alike, all zero, and a view that is its twin.
    @Test(arguments: names, [DType.float64, .float32])
    func collapsedViewsAreFinite(name: String, dtype: DType) throws {
        let loss = try #require(Self.losses[name])
        for (first, second) in [
            (Tensor.ones([4, 3]), Tensor.ones([4, 3])), (.zeros([4, 3]), .zeros([4, 3])),
            (.full([2, 3], 1e-20), .full([2, 3], -3)),
            (.normal([5, 1], generator: Generator(seed: 1)), .ones([5, 1])),
        ] {
            let views = [first.to(dtype).cloned(), second.to(dtype).cloned()]
            for view in views { view.requiresGradient = true }
            expectFinite(try loss(views[0], views[1]), views, name)
        }
        let view = randomLeaf([5, 3], dtype: dtype)
        expectFinite(try loss(view, view), [view], name)
    }

    @Test(arguments: names, [DType.bfloat16, .float16])
    func halfPrecisionIsComputedInFloat32(name: String, dtype: DType) throws {
        let loss = try #require(Self.losses[name])
        let first = randomLeaf([6, 4], dtype: dtype), second = randomLeaf([6, 4], seed: 2, dtype: dtype)
        let value = try loss(first, second)
        #expect(value.dtype == .float32)
        #expect(try value.item() == loss(first.detached().to(.float32), second.detached().to(.float32)).item())
        let scoped = try autocast(dtype) { try loss(first, second) }
        #expect(scoped.item() == value.item())
        expectFinite(value, [first, second], name)
    }

    @Test(arguments: names)
    func badInputIsNamed(name: String) throws {
        let loss = try #require(Self.losses[name])
        let view = Tensor.ones([3, 4])
        expectError(.shapeMismatch, naming: ["first", "[3]"]) { _ = try loss(.ones([3]), view) }
        expectError(.shapeMismatch, naming: ["first", "[3, 4]", "second", "[3, 5]"]) {
            _ = try loss(view, .ones([3, 5]))
        }
        expectError(.shapeMismatch, naming: ["first", "[1, 4]", "two rows"]) {
            _ = try loss(.ones([1, 4]), .ones([1, 4]))
        }
        expectError(.emptyBatch, naming: ["first", "[0, 4]"]) { _ = try loss(.ones([0, 4]), .ones([0, 4])) }
        expectError(.dtypeMismatch, naming: ["second", "float64"]) { _ = try loss(view, view.to(.float64)) }
        expectError(.dtypeMismatch, naming: ["first", "int64", "[3, 4]"]) { _ = try loss(view.to(.int64), view) }
        expectError(.nonFiniteValue, naming: ["second", "nan", "[0, 0]"]) { _ = try loss(view, .full([3, 4], .nan)) }
    }

    @Test func badNumbersAreNamed() {
        let view = Tensor.ones([3, 4])
        expectError(.invalidArgument, naming: ["invarianceWeight", "-1"]) {
            _ = try vicRegLoss(first: view, second: view, invarianceWeight: -1)
        }
        expectError(.invalidArgument, naming: ["varianceWeight", "nan"]) {
            _ = try vicRegLoss(first: view, second: view, varianceWeight: .nan)
        }
        expectError(.invalidArgument, naming: ["covarianceWeight", "inf"]) {
            _ = try vicRegLoss(first: view, second: view, covarianceWeight: .infinity)
        }
        expectError(.invalidArgument, naming: ["epsilon", "0"]) {
            _ = try vicRegLoss(first: view, second: view, epsilon: 0)
        }
        expectError(.invalidArgument, naming: ["redundancyWeight", "-0.1"]) {
            _ = try barlowTwinsLoss(first: view, second: view, redundancyWeight: -0.1)
        }
    }
}
