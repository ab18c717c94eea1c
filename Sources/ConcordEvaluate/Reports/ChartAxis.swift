import Foundation

/// One axis of a chart: the range it shows, its ticks, and where a value stands on it.
package struct ChartAxis {
    package let isLogarithmic: Bool
    package let lower: Double
    package let upper: Double
    package let ticks: [Double]

    /// An axis that fits the values; nil when none of them can be shown (finite, and positive on a logarithmic axis).
    ///
    /// - Parameter isTight: end at the outermost values instead of the next ticks.
    package init?(_ values: some Sequence<Double>, isLogarithmic: Bool = false, isTight: Bool = false) {
        self.isLogarithmic = isLogarithmic
        let shown = values.filter { $0.isFinite && (!isLogarithmic || $0 > 0) }
        guard let least = shown.min(), let greatest = shown.max() else { return nil }
        if isLogarithmic {
            (lower, upper, ticks) = Self.decades(least, greatest)
            return
        }
        // A single value needs some room around it.
        let margin = least == greatest ? max(abs(least) * 0.1, 1e-9) : 0
        let low = least - margin, high = greatest + margin
        let step = Self.niceStep(high - low)
        let first = (low / step).rounded(isTight ? .up : .down)
        let last = (high / step).rounded(isTight ? .down : .up)
        ticks = stride(from: first, through: last, by: 1).map { $0 * step }
        lower = isTight ? low : first * step
        upper = isTight ? high : last * step
    }

    /// Where a value stands, 0 at the lower end and 1 at the upper; nil for what the axis cannot show.
    func position(_ value: Double) -> Double? {
        guard value.isFinite, !isLogarithmic || value > 0 else { return nil }
        return isLogarithmic ? log(value / lower) / log(upper / lower) : (value - lower) / (upper - lower)
    }

    /// 1, 2 or 5 times a power of ten that divides a range into four to nine parts.
    private static func niceStep(_ range: Double) -> Double {
        let power = pow(10, floor(log10(range / 4)))
        let ratio = range / 4 / power
        return power * (ratio >= 5 ? 5 : ratio >= 2 ? 2 : 1)
    }

    /// A logarithmic range with ticks at 1, 2 and 5 times the powers of ten, or at the powers alone when they are many.
    private static func decades(_ least: Double, _ greatest: Double) -> (Double, Double, [Double]) {
        let exponents = Int(floor(log10(least)))...Int(ceil(log10(greatest)))
        let factors: [Double] = exponents.count > 4 ? [1] : [1, 2, 5]
        let candidates = exponents.flatMap { exponent in factors.map { $0 * pow(10, Double(exponent)) } }
        let lower = candidates.last { $0 <= least } ?? least
        let upper = candidates.first { $0 >= greatest && $0 > lower } ?? greatest * 10
        return (lower, upper, candidates.filter { $0 >= lower && $0 <= upper })
    }
}
