import ConcordCore

/// What happens to the points of a curve before they are drawn.
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
