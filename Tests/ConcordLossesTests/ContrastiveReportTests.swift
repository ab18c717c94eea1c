import ConcordCore
import ConcordLosses
import ConcordTensor
import Foundation
import Testing

@Suite struct ContrastiveReportTests {
    /// Unit vectors of rows, by hand.
    private func unit(_ rows: [[Double]]) -> [[Double]] {
        rows.map { row in
            let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
            return row.map { $0 / length }
        }
    }

    private func dot(_ x: [Double], _ y: [Double]) -> Double { zip(x, y).map { $0 * $1 }.reduce(0, +) }

    private func tensor(_ rows: [[Double]], _ dtype: DType = .float64) -> Tensor {
        Tensor(rows.flatMap(\.self), shape: [rows.count, rows[0].count]).to(dtype)
    }

    private func draw(_ count: Int, _ width: Int, seed: UInt64) -> [[Double]] {
        var random = RandomSource(seed: seed, stream: 0)
        return (0..<count).map { _ in (0..<width).map { _ in Double(random.index(below: 20_001)) / 10_000 - 1 } }
    }

    private func squaredDistance(_ x: [Double], _ y: [Double]) -> Double {
        zip(x, y).map { ($0 - $1) * ($0 - $1) }.reduce(0, +)
    }

    private func uniformity(_ x: [[Double]]) -> Double {
        var sum = 0.0, pairs = 0.0
        for i in x.indices {
            for j in x.indices where j > i {
                sum += exp(-2 * squaredDistance(x[i], x[j]))
                pairs += 1
            }
        }
        return log(sum / pairs)
    }

    private func isClose(_ value: Double, _ expected: Double) -> Bool {
        abs(value - expected) <= 1e-12 + 1e-10 * abs(expected)
    }

    @Test(arguments: [nil, [0, 1, 2, 0, 3, 1, 4, 0, 5, 6, 7]] as [[Int]?], [1, 3, 4, 64])
    func equalsTheFormulas(_ labels: [Int]?, _ blockRows: Int) throws {
        let count = 11, first = draw(count, 5, seed: 1), second = draw(count, 5, seed: 2)
        let x = unit(first), y = unit(second), bins = 8
        func match(_ i: Int, _ j: Int) -> Bool { i == j || labels.map { $0[i] == $0[j] } == true }
        var positive = [Double](), negative = [Double](), distances = [Double]()
        for i in 0..<count {
            for j in 0..<count {
                let cosine = dot(x[i], y[j])
                if match(i, j) { positive.append(cosine) } else { negative.append(cosine) }
                if match(i, j) { distances.append(squaredDistance(x[i], y[j])) }
            }
        }
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
        func accuracy(_ score: (Int, Int) -> Double) -> Double {
            mean(
                (0..<count).map { i in
                    let best = (0..<count).map { score(i, $0) }.max() ?? 0
                    return (0..<count).contains { match(i, $0) && score(i, $0) >= best } ? 1 : 0
                })
        }
        func histogram(_ values: [Double]) -> [Int] {
            values.reduce(into: [Int](repeating: 0, count: bins)) { $0[min(bins - 1, Int(($1 + 1) / 2 * 8))] += 1 }
        }

        let report = try ContrastiveReport(
            tensor(first), tensor(second), labels: labels.map { Tensor($0) }, bins: bins, blockRows: blockRows)
        #expect(report.count == count && report.nonFiniteCount == 0)
        #expect(isClose(report.lnN, log(11)))
        #expect(isClose(report.positiveCosine, mean(positive)))
        #expect(isClose(report.negativeCosine, mean(negative)))
        #expect(isClose(report.alignment, mean(distances)))
        #expect(isClose(report.first.uniformity, uniformity(x)))
        #expect(isClose(report.second.uniformity, uniformity(y)))
        #expect(isClose(report.first.meanCosine, (dotOfSums(x) - 11) / 110))
        #expect(isClose(report.firstAccuracy, accuracy { dot(x[$0], y[$1]) }))
        #expect(isClose(report.secondAccuracy, accuracy { dot(x[$1], y[$0]) }))
        #expect(report.positiveHistogram?.counts == histogram(positive))
        #expect(report.negativeHistogram?.counts == histogram(negative))
    }

    private func dotOfSums(_ x: [[Double]]) -> Double {
        let sum = x.reduce([Double](repeating: 0, count: x[0].count)) { zip($0, $1).map { $0 + $1 } }
        return dot(sum, sum)
    }

    @Test func theLabelsOfOthersCountAsHits() throws {
        // Samples 0 and 1 have the same caption, and each finds the other's.
        let x = tensor([[1, 0], [0, 1], [-1, 0]]), y = tensor([[0, 1], [1, 0], [-1, 0]])
        let strict = try ContrastiveReport(x, y), lenient = try ContrastiveReport(x, y, labels: Tensor([7, 7, 1]))
        #expect(isClose(strict.accuracy, 1.0 / 3))
        #expect(lenient.accuracy == 1)
    }

    @Test func aHistogramHoldsItsEnds() throws {
        let report = try ContrastiveReport(tensor([[1, 0], [-1, 0]]), tensor([[1, 0], [-1, 0]]), bins: 4)
        #expect(report.positiveHistogram?.counts == [0, 0, 0, 2])
        #expect(report.negativeHistogram?.counts == [2, 0, 0, 0])
        #expect(report.positiveHistogram?.centers == [-0.75, -0.25, 0.25, 0.75])
        #expect(report.positiveHistogram?.shares == [0, 0, 0, 1])
        #expect(try ContrastiveReport(tensor([[1, 0]]), tensor([[1, 0]])).positiveHistogram == nil)
    }

    @Test func aCollapseIsNamedWithAdvice() throws {
        let good = tensor(draw(40, 6, seed: 3)), point = Tensor.ones([40, 6], dtype: .float64)
        let report = try ContrastiveReport(point + good * 0.02, good)
        let warnings = report.warnings(firstName: "picture", secondName: "caption")
        #expect(report.first.uniformity > -0.1 && report.first.meanCosine > 0.98)
        #expect(warnings.filter { $0.kind == .collapse }.count == 1)
        let message = try #require(warnings.first { $0.kind == .collapse }?.message)
        #expect(message.contains("picture") && message.contains("learning rate"))
        let healthy = try ContrastiveReport(good, good + tensor(draw(40, 6, seed: 4)) * 0.1)
        #expect(healthy.warnings.isEmpty, "\(healthy.warnings)")
        #expect(healthy.warnings(loss: 0.99 * log(40)).map(\.kind) == [.guessing])
        #expect(healthy.warnings(loss: 0.9 * log(40)).isEmpty)
    }

    @Test func aCollapseWithoutNoiseIsOne() throws {
        let point = Tensor.ones([300, 16])
        let report = try ContrastiveReport(point, point)
        #expect(abs(report.first.uniformity) < 1e-5 && abs(report.alignment) < 1e-5)
        #expect(Set(report.warnings().map(\.kind)).contains(.collapse))
    }

    /// Zero vectors have no direction, but are one point.
    @Test func zeroVectorsAreACollapse() throws {
        let zeros = Tensor.zeros([30, 4]), some = tensor(draw(30, 4, seed: 6)).to(.float32)
        let report = try ContrastiveReport(zeros, some)
        #expect(report.first.uniformity == 0 && report.first.meanCosine == 0)
        #expect(report.warnings().contains { $0.kind == .collapse && $0.message.contains("first") })
        #expect(report.second.uniformity < -1)
        // Half of them zero: a quarter of the pairs at distance 0, half at 1.
        let half = try ContrastiveReport(tensor([[0, 0], [0, 0], [1, 0], [-1, 0]]), tensor(draw(4, 2, seed: 7)))
        #expect(abs(half.first.uniformity - log((1 + 4 * exp(-2) + exp(-8)) / 6)) < 1e-12)
    }

    @Test func mismatchedPairsAreNamed() throws {
        let x = tensor(draw(20, 4, seed: 5))
        let report = try ContrastiveReport(x, x * -1)
        #expect(report.warnings().map(\.kind) == [.noAlignment])
    }

    @Test(arguments: [Double.nan, .infinity]) func whatIsNotANumberIsCounted(_ value: Double) throws {
        var rows = draw(6, 3, seed: 6)
        rows[2][1] = value
        let report = try ContrastiveReport(tensor(rows), tensor(draw(6, 3, seed: 7)), bins: 10)
        #expect(report.nonFiniteCount == 1)
        #expect(report.accuracy.isNaN && report.positiveHistogram == nil)
        #expect(report.warnings().map(\.kind) == [.nonFinite])
        #expect(report.warnings.first?.contains("1 of 12") == true)
    }

    @Test(arguments: [DType.float16, .bfloat16]) func halfPrecisionIsMeasuredInFloat32(_ dtype: DType) throws {
        let x = tensor(draw(30, 8, seed: 8), dtype), y = tensor(draw(30, 8, seed: 9), dtype)
        let report = try ContrastiveReport(x, y), wide = try ContrastiveReport(x.to(.float32), y.to(.float32))
        #expect(report == wide)
    }

    @Test func aSingleSampleHasNoOthers() throws {
        let report = try ContrastiveReport(tensor([[1, 2]]), tensor([[2, 1]]))
        #expect(report.accuracy == 1 && report.lnN == 0 && isClose(report.positiveCosine, 0.8))
        #expect(report.negativeCosine.isNaN && report.first.uniformity.isNaN)
        #expect(report.warnings.isEmpty)
    }

    @Test func itTakesNoGradient() throws {
        let x = tensor(draw(4, 3, seed: 10))
        x.requiresGradient = true
        _ = try ContrastiveReport(x, x)
        #expect(x.gradient == nil)
    }

    @Test func badInputIsNamed() {
        func failure(_ body: () throws(ConcordError) -> Void) -> ConcordError? {
            do throws(ConcordError) {
                try body()
                return nil
            } catch { return error }
        }
        let x = Tensor.ones([3, 2])
        let cases: [(ConcordError.Code, String, Tensor, Tensor, Tensor?)] = [
            (.shapeMismatch, "first has shape [2]", Tensor.ones([2]), x, nil),
            (.shapeMismatch, "second [4, 2]", x, Tensor.ones([4, 2]), nil),
            (.dtypeMismatch, "int64", x.to(.int64), x, nil),
            (.dtypeMismatch, "float64", x, x.to(.float64), nil),
            (.emptyBatch, "[0, 2]", Tensor.zeros([0, 2]), Tensor.zeros([0, 2]), nil),
            (.shapeMismatch, "labels has shape [2]", x, x, Tensor([1, 2])),
        ]
        for (code, text, first, second, labels) in cases {
            let error = failure { () throws(ConcordError) in _ = try ContrastiveReport(first, second, labels: labels) }
            #expect(error?.code == code && error?.message.contains(text) == true, "\(error as Any)")
        }
        let rows = failure { () throws(ConcordError) in _ = try ContrastiveReport(x, x, blockRows: 0) }
        #expect(rows?.code == .invalidArgument)
    }

    @Test func theEffectiveRankCountsDirections() throws {
        let axes = Tensor.identity(6).to(.float64)
        #expect(isNear(try effectiveRank(axes), 6))
        #expect(isNear(try effectiveRank(Tensor.concatenated([axes, axes, axes])), 6))
        #expect(isNear(try effectiveRank(Tensor.ones([9, 4])), 1))
        // Singular values √2 and 1: shares of 0.586 and 0.414.
        let root = 2.0.squareRoot(), shares = [root, 1].map { $0 / (1 + root) }
        let expected = exp(shares.reduce(0) { $0 - $1 * log($1) })
        #expect(isNear(try effectiveRank(tensor([[1, 0, 0], [5, 0, 0], [0, 3, 0]])), expected))
        #expect(throws: ConcordError.self) { try effectiveRank(Tensor.zeros([0, 3])) }
    }

    private func isNear(_ value: Double, _ expected: Double) -> Bool { abs(value - expected) < 1e-5 }
}
