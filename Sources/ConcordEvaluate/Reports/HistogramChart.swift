import ConcordCore
import Foundation

/// How values are spread, as upright bars in SVG, which follow the page's light or dark colours.
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
