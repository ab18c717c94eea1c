import ConcordTestSupport
import Testing

/// The comparison that every parity test leans on must itself fail when it should.
@Suite struct TestSupportTests {
    @Test func acceptsWhatIsWithinTheTolerance() {
        #expect(Comparison([1, 2.0001], [1, 2], absolute: 1e-3, relative: 0).isClose)
        #expect(Comparison([1000.5], [1000], absolute: 0, relative: 1e-3).isClose)
        #expect(Comparison([.infinity], [.infinity], absolute: 0, relative: 0).isClose)
        #expect(Comparison([], [], absolute: 0, relative: 0).isClose)
    }

    static let distant: [([Double], [Double])] = [
        ([1], [1.1]), ([.nan], [1]), ([1], [.nan]), ([.nan], [.nan]), ([.infinity], [1]), ([1], [.infinity]),
        ([.infinity], [-.infinity]), ([1, 2], [1]), ([1, 2, 3], [1, 2.2, 3]),
    ]

    @Test(arguments: distant)
    func refusesWhatIsNot(_ actual: [Double], _ expected: [Double]) {
        #expect(!Comparison(actual, expected, absolute: 1e-3, relative: 1e-3).isClose)
    }

    @Test func namesTheWorst() {
        let comparison = Comparison([1, 2.5, 3.1], [1, 2, 3], absolute: 0.05, relative: 0)
        #expect(comparison.description.hasPrefix("2 of 3 values differ; the worst at 1: 2.5 where 2.0 is expected"))
    }
}
