import ConcordRuntime
import Testing

@Suite struct PaddingPlanTests {
    private let buckets = [1, 2, 3, 4, 6, 8, 12, 16]

    private func sizes(_ lengths: [Int], _ buckets: [Int]) -> [Int] {
        PaddingPlan.runs(lengths: lengths, buckets: buckets).map(\.size)
    }

    @Test func littlePaddingIsCheaperThanAnotherRun() {
        #expect(sizes([], buckets) == [])
        // Long items are cut into runs without padding, short ones are padded.
        for (count, long, short) in [
            (1, [1], [1]), (5, [1, 4], [6]), (7, [1, 6], [8]), (11, [3, 8], [12]), (13, [1, 12], [1, 12]),
        ] {
            #expect(sizes(Array(repeating: 50, count: count), buckets).sorted() == long)
            #expect(sizes(Array(repeating: 8, count: count), buckets).sorted() == short)
        }
        #expect(sizes(Array(repeating: 50, count: 33), buckets).sorted() == [1, 16, 16])
        #expect(sizes(Array(repeating: 50, count: 5), [4]) == [4, 4])
        #expect(sizes([50], [8, 16]) == [8])
    }

    @Test func shortAndLongItemsRunApartWhereThatIsCheaper() {
        let runs = PaddingPlan.runs(lengths: [77, 8, 10, 77, 8], buckets: buckets)
        #expect(runs.map(\.items) == [[1, 4, 2], [0, 3]])
        #expect(runs.map(\.columns) == [10, 77])
        // One text of 8 tokens costs less with 2 of padding than as a run.
        #expect(PaddingPlan.runs(lengths: [10, 8, 10], buckets: buckets).map(\.items) == [[1, 0, 2]])
    }

    /// Against all ways to cut the sorted items.
    @Test func plansAreTheCheapest() {
        var state: UInt64 = 7
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for buckets in [buckets, [2, 5], [3]] {
            for _ in 0..<50 {
                let lengths = (0..<(1 + random(9))).map { _ in 2 + 2 * random(20) }.sorted()
                var least = Int.max
                for cuts in 0..<(1 << (lengths.count - 1)) {
                    var cost = 0, start = 0
                    for end in 1...lengths.count where end == lengths.count || cuts >> (end - 1) & 1 == 1 {
                        guard let size = buckets.first(where: { $0 >= end - start }) else { cost = .max / 2; break }
                        cost += 8 + size * lengths[end - 1]
                        start = end
                    }
                    least = min(least, cost)
                }
                let runs = PaddingPlan.runs(lengths: lengths, buckets: buckets)
                #expect(runs.reduce(0) { $0 + 8 + $1.size * $1.columns } == least)
            }
        }
    }

    @Test(arguments: [[1, 2, 4, 8, 16], [1], [5], [3, 7], [16, 64]]) func everyItemRunsOnce(_ buckets: [Int]) {
        for count in 0...100 {
            let lengths = (0..<count).map { 2 + $0 * 37 % 76 }
            let runs = PaddingPlan.runs(lengths: lengths, buckets: buckets)
            #expect(runs.flatMap(\.items).sorted() == Array(0..<count))
            for run in runs {
                #expect(buckets.contains(run.size) && !run.items.isEmpty && run.items.count <= run.size)
                #expect(run.items.map { lengths[$0] }.max() == run.columns)
            }
        }
    }

    @Test func fewLengthsOfTexts() {
        let lengths = (1...77).map { PaddingPlan.tokens($0, contextLength: 77) }
        #expect(
            Set(lengths).sorted() == [2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 77])
        #expect(zip(1..., lengths).allSatisfy { $0 <= $1 })
        #expect(lengths == lengths.sorted())
        #expect(Set((1...512).map { PaddingPlan.tokens($0, contextLength: 512) }).count == 28)
        #expect(PaddingPlan.tokens(3, contextLength: 5) == 4)
        #expect(PaddingPlan.tokens(5, contextLength: 5) == 5)
    }
}
