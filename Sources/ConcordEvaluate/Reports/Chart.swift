import ConcordCore
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

    /// The position of a value, 0 at the lower end and 1 at the upper; nil for what the axis cannot show.
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

/// The SVG elements that charts are made of.
enum ChartElement {
    /// The color of a series, the first again behind the last.
    static func color(_ series: Int) -> String { "var(--series-\(series % HTMLStyle.seriesCount))" }

    static func text(_ value: Double) -> String { ChartCurve.coordinate(value) }

    /// The beginning of the image, with its title.
    static func open(title: String, width: Double, height: Double) -> String {
        """
        <svg class="chart" viewBox="0 0 \(text(width)) \(text(height))" role="img" \
        aria-label="\(HTMLText.escape(title))" xmlns="http://www.w3.org/2000/svg">
        """ + "\n" + label(title, x: 16, y: 26, kind: "title")
    }

    static func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, kind: String) -> String {
        "<line class=\"\(kind)\" x1=\"\(text(x1))\" y1=\"\(text(y1))\" x2=\"\(text(x2))\" y2=\"\(text(y2))\"/>"
    }

    static func label(_ content: String, x: Double, y: Double, kind: String, anchor: String = "start") -> String {
        "<text class=\"\(kind)\" x=\"\(text(x))\" y=\"\(text(y))\" text-anchor=\"\(anchor)\">"
            + "\(HTMLText.escape(content))</text>"
    }

    /// A bar whose note shows under the pointer.
    static func bar(
        left: Double, top: Double, right: Double, bottom: Double, color: String, note: String
    ) -> String {
        "<rect class=\"bar\" x=\"\(text(left))\" y=\"\(text(top))\" width=\"\(text(right - left))\" "
            + "height=\"\(text(bottom - top))\" style=\"fill:\(color)\"><title>\(HTMLText.escape(note))</title></rect>"
    }

    /// Names in their colors, in one line that ends at `x`.
    static func legend(_ entries: [(name: String, color: String)], x: Double) -> String {
        let names = entries.enumerated().map { index, entry in
            "<tspan dx=\"\(index == 0 ? 0 : 14)\" style=\"fill:\(entry.color)\">●</tspan> "
                + "<tspan>\(HTMLText.escape(entry.name))</tspan>"
        }
        return "<text class=\"tick\" x=\"\(text(x))\" y=\"48\" text-anchor=\"end\">\(names.joined())</text>"
    }
}

/// The steps from the points of a curve to the drawn line.
package enum ChartCurve {
    package typealias Point = (x: Double, y: Double)

    /// The running mean in which the past weighs `weight`, without the pull to zero at the start; as in TensorBoard.
    package static func smoothed(_ points: [Point], weight: Double) -> [Point] {
        var mean = 0.0, total = 0.0
        return points.map { point in
            guard point.y.isFinite else { return point }
            mean = mean * weight + point.y * (1 - weight)
            total = total * weight + (1 - weight)
            return (point.x, mean / total)
        }
    }

    /// At most four points a column, chosen so that the drawn line looks the same: first, least, greatest and last.
    package static func thinned(_ points: [Point], columns: Int) -> [Point] {
        guard columns > 0, points.count > 4 * columns else { return points }
        var kept = [Point]()
        for column in 0..<columns {
            let range = column * points.count / columns..<(column + 1) * points.count / columns
            let finite = range.filter { points[$0].y.isFinite }
            let least = finite.min { points[$0].y < points[$1].y }
            let greatest = finite.max { points[$0].y < points[$1].y }
            // A point that is not finite stays, so that the gap does.
            let gap = range.first { !points[$0].y.isFinite }
            let chosen = Set([range.lowerBound, range.upperBound - 1] + [least, greatest, gap].compactMap { $0 })
            kept += chosen.sorted().map { points[$0] }
        }
        return kept
    }

    /// SVG path commands through the points; where `place` gives nil the pen is lifted.
    static func path(_ points: [Point], place: (Point) -> (Double, Double)?) -> String {
        var commands = [String]()
        var isDown = false
        for point in points {
            guard let (x, y) = place(point) else {
                isDown = false
                continue
            }
            commands.append("\(isDown ? "L" : "M")\(coordinate(x)) \(coordinate(y))")
            isDown = true
        }
        return commands.joined()
    }

    /// The point whose `x` is nearest; the points are in the order of `x`.
    static func nearest(to x: Double, in points: [Point]) -> Point? {
        var low = 0, high = points.count
        while low < high {
            let middle = (low + high) / 2
            if points[middle].x < x { low = middle + 1 } else { high = middle }
        }
        let candidates = [low - 1, low].filter(points.indices.contains).map { points[$0] }
        return candidates.min { abs($0.x - x) < abs($1.x - x) }
    }

    /// A tenth of a unit is finer than a pixel.
    static func coordinate(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return tenths.isMultiple(of: 10) ? "\(tenths / 10)" : NumberText.fixed(value, decimals: 1)
    }
}
