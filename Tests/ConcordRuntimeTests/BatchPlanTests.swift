import ConcordRuntime
import Testing

@Suite struct BatchPlanTests {
    private func sizes(_ count: Int, _ buckets: [Int] = [1, 2, 4, 8, 16]) -> [Int] {
        BatchPlan.runs(of: count, buckets: buckets).map(\.size)
    }

    @Test func littlePaddingIsCheaperThanAnotherRun() {
        #expect(sizes(0) == [])
        #expect(sizes(1) == [1])
        #expect(sizes(3) == [4])
        #expect(sizes(5) == [4, 1])
        #expect(sizes(7) == [8])
        #expect(sizes(11) == [8, 4])
        #expect(sizes(12) == [16])
        #expect(sizes(33) == [16, 16, 1])
        #expect(sizes(5, [4]) == [4, 4])
        #expect(sizes(1, [8, 16]) == [8])
        #expect(sizes(40, [3, 32]) == [32, 3, 3, 3])
    }

    @Test(arguments: [[1, 2, 4, 8, 16], [1], [5], [3, 7], [16, 64]]) func everyItemRunsOnce(_ buckets: [Int]) {
        for count in 0...100 {
            let runs = BatchPlan.runs(of: count, buckets: buckets)
            #expect(runs.flatMap { Array($0.items) } == Array(0..<count))
            #expect(runs.allSatisfy { buckets.contains($0.size) && !$0.items.isEmpty && $0.items.count <= $0.size })
        }
    }

    @Test func fewLengthsOfTexts() {
        let lengths = (1...77).map { BatchPlan.tokens($0, contextLength: 77) }
        #expect(Set(lengths).sorted() == [8, 16, 24, 32, 48, 64, 77])
        #expect(zip(1..., lengths).allSatisfy { $0 <= $1 })
        #expect(lengths == lengths.sorted())
        #expect(
            Set((1...512).map { BatchPlan.tokens($0, contextLength: 512) }).sorted() == [
                8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512,
            ])
        #expect(BatchPlan.tokens(3, contextLength: 5) == 5)
    }
}
