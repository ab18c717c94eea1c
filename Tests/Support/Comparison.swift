/// How far two lists of numbers are apart.
public struct Comparison: Sendable, CustomStringConvertible {
    /// Whether the counts are equal and every value is within its tolerance.
    public let isClose: Bool
    public let description: String

    public init(_ actual: [Double], _ expected: [Double], absolute: Double, relative: Double) {
        guard actual.count == expected.count else {
            isClose = false
            description = "\(actual.count) values where \(expected.count) are expected"
            return
        }
        var failures = 0
        var worst = (index: 0, excess: -Double.infinity)
        var largest = (absolute: 0.0, relative: 0.0)
        for (index, (value, reference)) in zip(actual, expected).enumerated() where value != reference {
            let error = abs(value - reference)
            let allowed = absolute + relative * abs(reference)
            // An infinite error is never allowed, not even by a relative tolerance of infinity; nor is NaN.
            let isWithin = error.isFinite && error <= allowed
            if !isWithin { failures += 1 }
            let excess = error.isFinite ? error - allowed : .infinity
            if excess > worst.excess { worst = (index, excess) }
            largest.absolute = error.isNaN ? .nan : max(largest.absolute, error)
            largest.relative = max(largest.relative, error / abs(reference))
        }
        isClose = failures == 0
        let place = worst.index
        description =
            failures == 0
            ? "all \(actual.count) values agree (largest error \(largest.absolute))"
            : "\(failures) of \(actual.count) values differ; the worst at \(place): \(actual[place]) where "
                + "\(expected[place]) is expected; largest absolute error \(largest.absolute), relative "
                + "\(largest.relative); allowed \(absolute) + \(relative) · |expected|"
    }
}
