import ConcordCore

/// A line chart as SVG, which follows the page's light or dark colors and shows values under the pointer.
package struct LineChart: HTMLChart {
    /// One curve.
    package struct Series: Sendable {
        package var name: String
        /// In the order of `x`. Points that are not finite leave a gap.
        package var points: [(x: Double, y: Double)]
        /// The weight of the past in a running mean, 0 (none) to below 1. The raw curve then stands faintly behind.
        package var smoothing: Double

        package init(_ name: String, _ points: [(x: Double, y: Double)], smoothing: Double = 0) {
            self.name = name
            self.points = points
            self.smoothing = smoothing
        }
    }

    package var title: String
    package var series: [Series]
    package var xLabel: String
    package var yLabel: String
    /// Whether the vertical axis is logarithmic; values that are not positive are then left out.
    package var logScale: Bool

    package init(title: String, series: [Series], xLabel: String, yLabel: String = "", logScale: Bool = false) {
        self.title = title
        self.series = series
        self.xLabel = xLabel
        self.yLabel = yLabel
        self.logScale = logScale
    }

    private static let width = 600.0
    private static let height = 300.0
    private static let plot = (left: 58.0, right: 584.0, top: 62.0, bottom: 256.0)
    /// More strips under the pointer than this would be narrower than a hand is steady.
    private static let readoutCount = 150

    /// The chart as one `<svg>` element.
    package func svg() -> String {
        var parts = [ChartElement.open(title: title, width: Self.width, height: Self.height)]
        let y = ChartAxis(series.lazy.flatMap(\.points).map(\.y), isLogarithmic: logScale)
        let shown = series.lazy.flatMap(\.points).filter { y?.position($0.y) != nil }
        if let y, let x = ChartAxis(shown.map(\.x), isTight: true) {
            parts.append(axes(x, y))
            parts.append(legend())
            for (index, series) in series.enumerated() { parts.append(curves(of: series, index: index, x, y)) }
            parts.append(readouts(x, y))
        } else {
            parts.append(
                ChartElement.label(
                    "no values yet", x: Self.width / 2, y: Self.height / 2, kind: "tick", anchor: "middle"))
        }
        return parts.joined(separator: "\n") + "\n</svg>"
    }

    private func axes(_ x: ChartAxis, _ y: ChartAxis) -> String {
        var lines = [ChartElement.label(yLabel, x: 16, y: 48, kind: "axis")]
        for tick in y.ticks {
            guard let height = y.position(tick).map(Self.vertical) else { continue }
            lines.append(
                ChartElement.line(Self.plot.left, height, Self.plot.right, height, kind: "grid")
                    + ChartElement.label(
                        NumberText.tick(tick), x: Self.plot.left - 8, y: height + 4, kind: "tick", anchor: "end"))
        }
        lines.append(
            ChartElement.line(Self.plot.left, Self.plot.bottom, Self.plot.right, Self.plot.bottom, kind: "base"))
        for tick in x.ticks {
            guard let place = x.position(tick).map(Self.horizontal) else { continue }
            lines.append(
                ChartElement.line(place, Self.plot.bottom, place, Self.plot.bottom + 4, kind: "base")
                    + ChartElement.label(
                        NumberText.tick(tick), x: place, y: Self.plot.bottom + 18, kind: "tick", anchor: "middle"))
        }
        let middle = (Self.plot.left + Self.plot.right) / 2
        lines.append(ChartElement.label(xLabel, x: middle, y: Self.plot.bottom + 36, kind: "axis", anchor: "middle"))
        return lines.joined(separator: "\n")
    }

    /// The names of the curves, right-aligned above the plot; a single curve is named by the title.
    private func legend() -> String {
        guard series.count > 1 else { return "" }
        return ChartElement.legend(
            series.enumerated().map { ($0.element.name, ChartElement.color($0.offset)) }, x: Self.plot.right)
    }

    private func curves(of series: Series, index: Int, _ x: ChartAxis, _ y: ChartAxis) -> String {
        func path(_ points: [(x: Double, y: Double)], kind: String) -> String {
            let commands = ChartCurve.path(
                ChartCurve.thinned(points, columns: Int(Self.plot.right - Self.plot.left) / 2)
            ) { point in
                guard let across = x.position(point.x), let up = y.position(point.y) else { return nil }
                // A running mean stays within the values, but for those that a logarithmic axis leaves out.
                return (Self.horizontal(across), Self.vertical(min(1, max(0, up))))
            }
            return "<path class=\"\(kind)\" d=\"\(commands)\" style=\"stroke:\(ChartElement.color(index))\"/>"
        }
        guard series.smoothing > 0 else { return path(series.points, kind: "curve") }
        return path(series.points, kind: "raw")
            + path(ChartCurve.smoothed(series.points, weight: series.smoothing), kind: "curve")
    }

    /// Strips over the plot; the one under the pointer shows a line, the points, and their values.
    private func readouts(_ x: ChartAxis, _ y: ChartAxis) -> String {
        let longest = series.map(\.points).max { $0.count < $1.count } ?? []
        let places = longest.map(\.x).filter { x.position($0) != nil }
        let stride = max(1, (places.count + Self.readoutCount - 1) / Self.readoutCount)
        let chosen = places.indices.filter { $0.isMultiple(of: stride) || $0 == places.count - 1 }.map { places[$0] }
        let across = chosen.map { Self.horizontal(x.position($0) ?? 0) }
        return chosen.indices.map { index in
            let here = across[index]
            let left = index > 0 ? (across[index - 1] + here) / 2 : Self.plot.left
            let right = index + 1 < chosen.count ? (here + across[index + 1]) / 2 : Self.plot.right
            return readout(at: chosen[index], here, left: left, right: right, y)
        }.joined(separator: "\n")
    }

    private func readout(at place: Double, _ here: Double, left: Double, right: Double, _ y: ChartAxis) -> String {
        var values = ["\(xLabel) \(NumberText.tick(place))"]
        var dots = ""
        for (index, series) in series.enumerated() {
            guard let point = ChartCurve.nearest(to: place, in: series.points), let up = y.position(point.y)
            else { continue }
            values.append("\(series.name) \(NumberText.significant(point.y))")
            dots +=
                "<circle class=\"mark\" cx=\"\(Self.text(here))\" cy=\"\(Self.text(Self.vertical(up)))\" r=\"4\" "
                + "style=\"fill:\(ChartElement.color(index))\"/>"
        }
        let isLeft = here < (Self.plot.left + Self.plot.right) / 2
        let text = ChartElement.label(
            values.joined(separator: " · "), x: here + (isLeft ? 8 : -8), y: Self.plot.top + 10, kind: "mark",
            anchor: isLeft ? "start" : "end")
        let area =
            "<rect x=\"\(Self.text(left))\" y=\"\(Self.text(Self.plot.top))\" width=\"\(Self.text(right - left))\" "
            + "height=\"\(Self.text(Self.plot.bottom - Self.plot.top))\"/>"
        let line = ChartElement.line(here, Self.plot.top, here, Self.plot.bottom, kind: "mark")
        return "<g class=\"readout\">\(area)\(line)\(dots)\(text)</g>"
    }

    private static func horizontal(_ position: Double) -> Double { plot.left + position * (plot.right - plot.left) }
    private static func vertical(_ position: Double) -> Double { plot.bottom - position * (plot.bottom - plot.top) }
    private static func text(_ value: Double) -> String { ChartElement.text(value) }
}
