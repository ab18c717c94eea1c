import ConcordCore
import ConcordONNX
import Foundation
import Testing

@Suite struct ActivationHistogramTests {
    private func add(_ values: [Float], to histogram: inout ActivationHistogram, _ expected: Bool) {
        let isAdded = values.withUnsafeBufferPointer { histogram.add($0) }
        #expect(isAdded == expected)
    }

    private func histogram(_ batches: [Float]...) -> ActivationHistogram {
        var histogram = ActivationHistogram()
        for batch in batches { add(batch, to: &histogram, true) }
        return histogram
    }

    private let values = QuantizationFixtures.normal(100_000, seed: 3)

    @Test func doesNotDependOnTheOrderOfValues() throws {
        // Magnitudes from 2^-20 to 2^20, so that bins are merged many times.
        var random = RandomSource(seed: 4)
        let wide = (0..<5000).map { _ in
            Float(random.normal() * pow(2, random.uniform(-20, 20)))
        }
        let once = histogram(wide)
        #expect(once.count == 5000)
        #expect(histogram(Array(wide.prefix(1)), Array(wide.dropFirst())) == once)
        let ascending = wide.sorted { abs($0) < abs($1) }
        var steps = ActivationHistogram()
        for value in ascending { add([value], to: &steps, true) }
        #expect(steps == once)
        // Zeros before the first width is known lie where the others do.
        #expect(histogram([0, 0], wide) == histogram(wide + [0, 0]))
        // Each bin holds what lies in it.
        let width = pow(2, Double(try #require(once.exponent)))
        for (index, count) in once.counts.enumerated() where count > 0 {
            let lower = Double(index - ActivationHistogram.side) * width
            #expect(wide.count { Double($0) >= lower && Double($0) < lower + width } == count)
        }
        // The bins are used: the largest value is in the outer half.
        #expect(Double(abs(ascending[4999])) >= Double(ActivationHistogram.side / 2) * width)
    }

    @Test func minimumAndMaximum() throws {
        let range = try histogram([-0.5, 2], [3, -1]).range(.minimumMaximum)
        #expect(range.lowest == -1 && range.highest == 3)
        #expect(range.scale == 4 / 255 as Float && range.zeroPoint == 64)
        // 0 is always inside, and exact.
        let positive = try histogram([2, 3]).range(.minimumMaximum)
        #expect(positive.lowest == 0 && positive.highest == 3 && positive.zeroPoint == 0)
        let negative = try histogram([-2, -3]).range(.percentile(100))
        #expect(negative.lowest == -3 && negative.highest == 0 && negative.zeroPoint == 255)
        let zeros = try histogram([0, 0]).range(.entropy)
        #expect(zeros.lowest == 0 && zeros.highest == 0 && zeros.scale == 1 && zeros.zeroPoint == 0)
    }

    @Test func percentileIgnoresAnOutlier() throws {
        let clean = try histogram(values).range(.minimumMaximum)
        let outlier = histogram(values, [1000])
        #expect(try outlier.range(.minimumMaximum).highest == 1000)
        let range = try outlier.range(.percentile(99.99))
        // Five values of a hundred thousand are cut on either side; bins are 1/8 wide with the outlier among them.
        let sorted = values.sorted()
        #expect(range.lowest <= sorted[5] && range.lowest >= sorted[5] - 0.125)
        #expect(range.highest >= sorted[values.count - 5] && range.highest <= sorted[values.count - 5] + 0.125)
        #expect(range.highest < clean.highest)
        // All of the values: as with minimum and maximum.
        #expect(try outlier.range(.percentile(100)) == outlier.range(.minimumMaximum))
    }

    /// The rule written out plainly: distributions as arrays, for each number of bins kept.
    private func reference(_ bins: [Double], levels: Int) -> Int {
        let side = bins.count / 2
        var best = (kept: 0, divergence: Double.infinity)
        // More bins than hold something are the same range.
        let used = (1...side).last { bins[side + $0 - 1] > 0 || bins[side - $0] > 0 } ?? side
        for kept in (levels + 1) / 2...used {
            let slice = Array(bins[side - kept..<side + kept])
            var p = slice
            p[0] += bins[..<(side - kept)].reduce(0, +)
            p[p.count - 1] += bins[(side + kept)...].reduce(0, +)
            var q = [Double](repeating: 0, count: slice.count)
            for level in 0..<levels {
                let range = level * slice.count / levels..<(level + 1) * slice.count / levels
                let filled = range.filter { slice[$0] > 0 }
                let mean = slice[range].reduce(0, +) / Double(filled.count)
                for index in filled { q[index] = mean }
            }
            let (sumP, sumQ) = (p.reduce(0, +), q.reduce(0, +))
            var divergence = 0.0
            for (p, q) in zip(p, q) where p > 0 {
                divergence += q > 0 ? p / sumP * log(p / sumP / (q / sumQ)) : .infinity
            }
            if divergence < best.divergence - 1e-12 { best = (kept, divergence) }
        }
        return best.kept
    }

    @Test func entropyFollowsTheFormula() {
        var random = RandomSource(seed: 5)
        // Shapes with a long tail, one-sided ones, and ones with holes.
        let shapes: [(Int) -> Double] = [
            { i in 1000 * exp(-Double(i * i) / 5000) + (abs(i) == 255 ? 3 : 0.02) },
            { i in i < -10 ? 0 : 500 / (1 + Double(abs(i))) },
            { i in i % 3 == 0 ? 100 * exp(-Double(abs(i)) / 40) : 0 },
            // Levels of the middle are full and those outside are not, which the mean over filled bins is for.
            { i in
                (abs(i) < 80 ? 1000 * exp(-Double(abs(i)) / 20) : 0) + (i % 7 == 0 ? 60 * exp(-Double(abs(i)) / 80) : 0)
            },
        ]
        for shape in shapes {
            let bins = (-256..<256).map { (shape($0) * (1 + random.uniform())).rounded() }
            let kept = ActivationHistogram.entropyThreshold(bins, levels: 63)
            #expect(kept == reference(bins, levels: 63))
            #expect(kept < 256, "a rule that keeps everything would agree with the reference too easily")
        }
    }

    @Test func entropyCutsAnOutlierAndKeepsAUniformDistribution() throws {
        let range = try histogram(values, [60]).range(.entropy)
        #expect(range.highest > 2 && range.highest < 20)
        #expect(range.lowest < -2)
        var random = RandomSource(seed: 6)
        let uniform = (0..<200_000).map { _ in Float(random.uniform(-1, 1)) }
        let even = try histogram(uniform).range(.entropy)
        #expect(even.highest > 0.95 && even.lowest < -0.95)
    }

    @Test func refusesWhatHasNoRange() throws {
        var histogram = ActivationHistogram()
        for bad in [Float.nan, .infinity, -.infinity] {
            add([1, bad, 2], to: &histogram, false)
        }
        #expect(histogram == ActivationHistogram())
        #expect(throws: ConcordError.self) { try ActivationHistogram().range(.minimumMaximum) }
        add([1], to: &histogram, true)
        for percentage in [50, 100.1, .nan, -1] {
            let error = #expect(throws: ConcordError.self) { try histogram.range(.percentile(percentage)) }
            #expect(error?.code == .invalidArgument)
        }
    }
}
