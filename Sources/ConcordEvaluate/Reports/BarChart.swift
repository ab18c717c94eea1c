import ConcordCore
import Foundation

/// Horizontal bars from zero as SVG, which follow the page's light or dark colors; more about each under the pointer.
package struct BarChart: HTMLChart {
    package struct Bar: Sendable {
        /// Infinity fills the plot; NaN and negative infinity leave it empty.
        package var value: Double
        /// The label at its end.
        package var text: String
        /// The index of its series, for its color.
        package var series: Int
        /// The tooltip.
        package var note: String

        package init(_ value: Double, text: String, series: Int = 0, note: String = "") {
            self.value = value
            self.text = text
            self.series = series
            self.note = note
        }
    }

    /// The rows that are compared, each with a bar or several under one another.
    package struct Row: Sendable {
        package var name: String
        package var bars: [Bar]

        package init(_ name: String, _ bars: [Bar]) {
            self.name = name
            self.bars = bars
        }
    }

    /// The width of the names.
    package enum Width: Double, Sendable {
        /// Beside another chart.
        case half = 600
        /// Alone in its line.
        case full = 1060
    }

    package var title: String
    package var rows: [Row]
    /// The names of the series; a single one is named by the title.
    package var series: [String]
    /// A line across all rows, and what it is called.
    package var limit: (value: Double, name: String)?
    package var width: Width

    package init(
        title: String, rows: [Row], series: [String], limit: (value: Double, name: String)? = nil,
        width: Width = .half
    ) {
        self.title = title
        self.rows = rows
        self.series = series
        self.limit = limit
        self.width = width
    }

    private static let top = 62.0, barHeight = 12.0, gap = 6.0, limitColor = "var(--bad)"
    /// About what a character of a name is wide.
    private static let characterWidth = 6.6

    private var left: Double { width == .full ? 400 : 120 }
    private var right: Double { width.rawValue - 76 }
    private var bottom: Double { rows.reduce(Self.top) { $0 + Self.height($1) } }

    private static func height(_ row: Row) -> Double { Double(row.bars.count) * barHeight + gap }

    package func svg() -> String {
        var parts = [ChartElement.open(title: title, width: width.rawValue, height: bottom + 36)]
        let values = rows.flatMap(\.bars).map(\.value) + (limit.map { [$0.value] } ?? [])
        // Zero is the left end, even where there is nothing else.
        let isEmpty = !values.contains { $0.isFinite && $0 != 0 }
        guard let axis = ChartAxis(values + [0, isEmpty ? 1 : 0]) else { return parts[0] + "\n</svg>" }
        parts.append(legend)
        for tick in axis.ticks {
            guard let place = place(tick, axis) else { continue }
            parts.append(
                ChartElement.line(place, Self.top - 4, place, bottom, kind: "grid")
                    + ChartElement.label(
                        NumberText.tick(tick), x: place, y: bottom + 18, kind: "tick", anchor: "middle"))
        }
        var top = Self.top
        for row in rows {
            parts.append(html(row, top: top, axis))
            top += Self.height(row)
        }
        if let place = limit.flatMap({ place($0.value, axis) }) {
            parts.append(ChartElement.line(place, Self.top - 4, place, bottom, kind: "limit"))
        }
        return parts.joined(separator: "\n") + "\n</svg>"
    }

    private var legend: String {
        var entries = series.enumerated().map { (name: $0.element, color: ChartElement.color($0.offset)) }
        if let limit { entries.append((limit.name, Self.limitColor)) }
        return entries.count > 1 ? ChartElement.legend(entries, x: width.rawValue - 16) : ""
    }

    private func html(_ row: Row, top: Double, _ axis: ChartAxis) -> String {
        let height = Double(row.bars.count) * Self.barHeight
        // The end of a long name says more than its beginning.
        let room = Int((left - 24) / Self.characterWidth)
        let name = row.name.count > room ? "…" + row.name.suffix(room - 1) : row.name
        let bars = row.bars.enumerated().map { index, bar in
            let top = top + Double(index) * Self.barHeight
            let zero = place(0, axis) ?? left
            let end = bar.value == .infinity ? right : place(bar.value, axis) ?? zero
            // What is next to nothing is still seen.
            let outer = max(max(zero, end), zero + 1)
            return ChartElement.bar(
                left: min(zero, end), top: top, right: outer, bottom: top + Self.barHeight - 1,
                color: ChartElement.color(bar.series), note: bar.note)
                + ChartElement.label(bar.text, x: outer + 5, y: top + Self.barHeight - 2, kind: "tick")
        }
        return ChartElement.label(name, x: left - 8, y: top + height / 2 + 4, kind: "name", anchor: "end")
            + bars.joined()
    }

    private func place(_ value: Double, _ axis: ChartAxis) -> Double? {
        axis.position(value).map { left + $0 * (right - left) }
    }
}

/// A histogram as upright bars in SVG, which follow the page's light or dark colors.
package struct HistogramChart: HTMLChart {
    package var title: String
    /// Those that are not finite are left out.
    package var values: [Double]
    package var xLabel: String

    package init(title: String, values: [Double], xLabel: String) {
        self.title = title
        self.values = values
        self.xLabel = xLabel
    }

    private static let width = 600.0, height = 300.0, plot = (left: 58.0, right: 584.0, top: 46.0, bottom: 256.0)
    private static let binCount = 32
    /// Differences that are smaller than this are those of rounding.
    private static let smallestRange = 1e-6

    package func svg() -> String {
        let plot = Self.plot, middle = (plot.left + plot.right) / 2
        var parts = [ChartElement.open(title: title, width: Self.width, height: Self.height)]
        let finite = values.filter(\.isFinite)
        guard let least = finite.min(), let greatest = finite.max(),
            let x = ChartAxis([min(least, greatest - Self.smallestRange), greatest], isTight: true)
        else {
            parts.append(
                ChartElement.label("no values", x: middle, y: Self.height / 2, kind: "tick", anchor: "middle"))
            return parts.joined(separator: "\n") + "\n</svg>"
        }
        var counts = [Int](repeating: 0, count: Self.binCount)
        for value in finite {
            counts[min(Self.binCount - 1, Int((x.position(value) ?? 0) * Double(Self.binCount)))] += 1
        }
        let y = ChartAxis([0, Double(counts.max() ?? 1)])
        for tick in y?.ticks ?? [] {
            guard let place = y?.position(tick) else { continue }
            let height = plot.bottom - place * (plot.bottom - plot.top)
            parts.append(
                ChartElement.line(plot.left, height, plot.right, height, kind: "grid")
                    + ChartElement.label(
                        NumberText.tick(tick), x: plot.left - 8, y: height + 4, kind: "tick", anchor: "end"))
        }
        let step = (plot.right - plot.left) / Double(Self.binCount)
        for (bin, count) in counts.enumerated() where count > 0 {
            let left = plot.left + Double(bin) * step, share = y?.position(Double(count)) ?? 0
            parts.append(
                ChartElement.bar(
                    left: left, top: plot.bottom - share * (plot.bottom - plot.top), right: left + step - 1,
                    bottom: plot.bottom, color: ChartElement.color(0), note: "\(count) of \(finite.count)"))
        }
        parts.append(ChartElement.line(plot.left, plot.bottom, plot.right, plot.bottom, kind: "base"))
        // Ticks that are near each other differ in late digits only.
        let distance = x.ticks.count > 1 ? x.ticks[1] - x.ticks[0] : x.upper - x.lower
        let decimals = max(0, Int(-floor(log10(distance) + 1e-9)))
        for tick in x.ticks {
            guard let place = x.position(tick).map({ plot.left + $0 * (plot.right - plot.left) }) else { continue }
            parts.append(
                ChartElement.line(place, plot.bottom, place, plot.bottom + 4, kind: "base")
                    + ChartElement.label(
                        NumberText.fixed(tick, decimals: decimals), x: place, y: plot.bottom + 18, kind: "tick",
                        anchor: "middle"))
        }
        parts.append(ChartElement.label(xLabel, x: middle, y: plot.bottom + 36, kind: "axis", anchor: "middle"))
        return parts.joined(separator: "\n") + "\n</svg>"
    }
}
