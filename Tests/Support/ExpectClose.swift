import Testing

/// Expects every value to be within `absolute + relative · |expected|` of the expected one.
///
/// On failure the message names the worst value with its position, and the largest absolute and relative errors, so
/// that one look tells a wrong formula from a lost digit. NaN equals nothing; infinities equal themselves.
public func expectClose(
    _ actual: [Double], _ expected: [Double], absolute: Double, relative: Double = 0, _ name: String = "values",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let comparison = Comparison(actual, expected, absolute: absolute, relative: relative)
    guard !comparison.isClose else { return }
    Issue.record("\(name): \(comparison)", sourceLocation: sourceLocation)
}

/// Expects every value to be within `absolute + relative · |expected|` of the expected one, compared as `Double`.
public func expectClose(
    _ actual: [Float], _ expected: [Float], absolute: Double, relative: Double = 0, _ name: String = "values",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    expectClose(
        actual.map(Double.init), expected.map(Double.init), absolute: absolute, relative: relative, name,
        sourceLocation: sourceLocation)
}

/// Expects every value to be within `absolute + relative · |expected|` of the expected one, compared as `Double`.
public func expectClose(
    _ actual: [Float], _ expected: [Double], absolute: Double, relative: Double = 0, _ name: String = "values",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    expectClose(
        actual.map(Double.init), expected, absolute: absolute, relative: relative, name,
        sourceLocation: sourceLocation)
}
