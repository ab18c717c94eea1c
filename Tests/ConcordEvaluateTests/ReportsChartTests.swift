import ConcordEvaluate
import Foundation
import Testing

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// Charts of bars.
@Suite struct ReportsChartTests {
    private let hostile = "<script>'\"&\u{1}"
    private let escaped = "&lt;script&gt;&#39;&quot;&amp;\u{FFFD}"

    private func isWellFormed(_ text: String) -> Bool { XMLParser(data: Data(text.utf8)).parse() }

    /// An attribute of each bar of a chart, as a number.
    private func bars(_ svg: String, _ attribute: String) -> [Double] {
        svg.components(separatedBy: "<rect class=\"bar\"").dropFirst().compactMap { bar in
            bar.components(separatedBy: " \(attribute)=\"").dropFirst().first.flatMap { text in
                Double(text.prefix { $0 != "\"" })
            }
        }
    }

    private func chart(_ values: [Double], limit: Double? = nil, width: BarChart.Width = .half) -> String {
        BarChart(
            title: "t", rows: values.map { .init("row", [.init($0, text: "\($0)", series: 1)]) }, series: ["a", "b"],
            limit: limit.map { ($0, "gate") }, width: width
        ).svg()
    }

    @Test func barsAreAsLongAsTheirValues() {
        let svg = chart([10, 5, 0, 40], limit: 30)
        #expect(isWellFormed(svg))
        // From 120 to 524, which is 40; what is nothing is a line.
        #expect(bars(svg, "width") == [101, 50.5, 1, 404])
        #expect(bars(svg, "x") == [120, 120, 120, 120])
        #expect(bars(svg, "y") == [62, 80, 98, 116])
        #expect(svg.contains("<line class=\"limit\" x1=\"423\""))
        #expect(svg.contains("var(--series-1)") && svg.contains(">gate</tspan>"))
        #expect(!chart([1]).contains("class=\"limit\""))
    }

    @Test func belowZeroIsToTheLeftOfIt() {
        let svg = chart([-10, 10])
        let (x, width) = (bars(svg, "x"), bars(svg, "width"))
        #expect(isWellFormed(svg) && x[0] == 120 && x[1] == 322 && width[1] == 202)
        #expect(abs(x[0] + width[0] - x[1]) <= 1)
    }

    @Test(
        arguments: [
            [], [.nan], [.infinity], [-.infinity, 1], [0], [1e300, -1e300], [1e-300], [.infinity, .nan, 3],
        ] as [[Double]])
    func drawsAnyValues(_ values: [Double]) {
        let svg = chart(values)
        #expect(isWellFormed(svg))
        #expect(bars(svg, "width").count == values.count && bars(svg, "width").allSatisfy { $0 > 0 && $0 <= 404 })
        for (value, width) in zip(values, bars(svg, "width")) where !value.isFinite {
            #expect(width == (value == .infinity ? 404 : 1), "infinity is as much as there is, no number is nothing")
        }
        #expect(isWellFormed(HistogramChart(title: "t", values: values, xLabel: "x").svg()))
    }

    @Test func textIsEscaped() {
        let bars = BarChart(
            title: hostile, rows: [.init(hostile, [.init(1, text: hostile, note: hostile)])], series: [hostile],
            limit: (1, hostile)
        ).svg()
        let histogram = HistogramChart(title: hostile, values: [1, 2], xLabel: hostile).svg()
        for (svg, count) in [(bars, 7), (histogram, 3)] {
            #expect(!svg.contains("<script") && isWellFormed(svg))
            #expect(svg.components(separatedBy: escaped).count - 1 == count)
        }
    }

    /// Names of parameters differ at their ends.
    @Test func longNamesLoseTheirBeginning() {
        let name = "vision." + String(repeating: "very.", count: 30) + "weight"
        let svg = BarChart(title: "t", rows: [.init(name, [.init(1, text: "1")])], series: ["a"]).svg()
        #expect(svg.contains(">…") && svg.contains("very.weight</text>") && !svg.contains("vision"))
    }

    @Test func aHistogramCountsEachValueOnce() {
        let svg = HistogramChart(title: "t", values: [0.5, 0.5, 0.5, 0.6, 1, .nan], xLabel: "cosine").svg()
        #expect(isWellFormed(svg))
        #expect(svg.components(separatedBy: ">3 of 5</title>").count == 2)
        #expect(svg.components(separatedBy: ">1 of 5</title>").count == 3)
        let heights = bars(svg, "height")
        #expect(heights.count == 3 && heights[0] == 210 && heights[1] == 70)
        // Equal values are one bar, at the right end.
        let equal = HistogramChart(title: "t", values: [1, 1, 1 - 1e-12], xLabel: "cosine").svg()
        #expect(isWellFormed(equal) && bars(equal, "x").count == 1 && bars(equal, "x")[0] > 560)
        // Ticks that are close to each other do not read alike.
        let near = HistogramChart(title: "t", values: [0.9997, 1], xLabel: "cosine").svg()
        #expect(near.contains(">0.99985</text>") && near.contains(">0.99990</text>"))
    }
}
