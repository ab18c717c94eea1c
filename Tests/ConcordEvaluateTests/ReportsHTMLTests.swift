import ConcordCore
import ConcordEvaluate
import ConcordTestSupport
import Foundation
import Testing

#if canImport(FoundationXML)
    import FoundationXML
#endif

@Suite struct ReportsHTMLTests {
    private let hostile = "<script>alert('x')</script> & \"quotes\" \u{1}"
    private let escaped = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;quotes&quot; \u{FFFD}"

    /// Whether the text is well-formed XML, which is stricter than what browsers take.
    private func isWellFormed(_ text: String) -> Bool { XMLParser(data: Data(text.utf8)).parse() }

    private func chart(_ points: [(x: Double, y: Double)], smoothing: Double = 0, logScale: Bool = false) -> String {
        LineChart(
            title: "t", series: [.init("s", points, smoothing: smoothing)], xLabel: "step", logScale: logScale
        ).svg()
    }

    /// The commands of the paths of one kind.
    private func paths(_ svg: String, _ kind: String) -> [String] {
        svg.split(separator: "<path class=\"\(kind)\" d=\"").dropFirst().map {
            String($0.prefix { $0 != "\"" })
        }
    }

    @Test func everyTextIsEscapedAndNothingIsFetched() {
        let picture = ImageGrid.Thumbnail([1, 2, 3])
        let page = HTMLPage(
            title: hostile, subtitle: hostile,
            sections: [
                .heading(hostile), .paragraph(hostile), .code(hostile), .figures([.init(hostile, hostile)]),
                .table(.init(header: [hostile], rows: [[hostile]], caption: hostile)),
                .charts([
                    LineChart(
                        title: hostile, series: [.init(hostile, [(0, 1)]), .init(hostile, [(0, 2)])], xLabel: hostile,
                        yLabel: hostile)
                ]),
                .images(
                    .init([
                        .init(
                            caption: hostile, image: picture,
                            results: [.init(image: picture, caption: hostile, score: 1, isRight: true)], rank: 1)
                    ])),
            ])
        let html = page.html()
        #expect(!html.contains("<script"))
        #expect(html.components(separatedBy: escaped).count == 1 + 25)
        #expect(html.contains("<img src=\"data:image/png;base64,AQID\""))
        let addresses = html.components(separatedBy: "http").count - 1
        // The only address is the name of SVG's vocabulary, which is not fetched.
        #expect(addresses == 1 && html.contains("xmlns=\"http://www.w3.org/2000/svg\""))
        #expect(!html.contains("url(") && !html.contains("@import"))
    }

    @Test func thePageIsWrittenAtomicallyAndIsWellFormed() throws {
        try withTemporaryFolder { folder in
            let page = HTMLPage(title: "run", sections: [.charts([LineChart(title: "t", series: [], xLabel: "step")])])
            try page.write(to: folder + "/report.html")
            #expect(try Files.read(folder + "/report.html") == Array(page.html().utf8))
            #expect(page.html().contains("prefers-color-scheme: dark"))
        }
    }

    @Test func drawsACurve() {
        let svg = chart([(0, 0), (50, 5), (100, 10)])
        #expect(isWellFormed(svg))
        // From the lower left to the upper right corner of the plot.
        #expect(paths(svg, "curve") == ["M58 256L321 159L584 62"])
        #expect(paths(svg, "raw").isEmpty)
        #expect(svg.contains(">step 50 · s 5.00</text>"))
        #expect(svg.components(separatedBy: "class=\"readout\"").count == 1 + 3)
    }

    @Test func aLogarithmicAxisLeavesOutWhatIsNotPositive() {
        let svg = chart([(0, 1), (1, 0), (2, 10), (3, 100)], logScale: true)
        #expect(isWellFormed(svg))
        #expect(paths(svg, "curve") == ["M58 256M408.7 159L584 62"])
    }

    @Test(
        arguments: [
            [], [(0, .nan)], [(0, 1)], [(0, 0)], [(0, 5), (1, 5)], [(0, 1), (1, .infinity), (2, 3)],
            [(0, 1e300), (1, -1e300)],
            [(0, 1e-300), (1, 2e-300)], [(5, 1), (5, 2)], [(0, -3), (1, -3.0000001)],
        ] as [[(x: Double, y: Double)]])
    func drawsAnyValues(_ points: [(x: Double, y: Double)]) {
        for logScale in [false, true] {
            let svg = chart(points, smoothing: 0.9, logScale: logScale)
            #expect(isWellFormed(svg))
            #expect(!svg.lowercased().contains("nan\""))
        }
    }

    @Test func smoothingFollowsTensorBoard() {
        // mean₀ = 1; mean₁ = (0.5·0.5·1 + 0.5·4) / 0.75 = 3; then a gap; mean₂ = (0.25·… as by hand) = 13/7.
        let smoothed = ChartCurve.smoothed([(0, 1), (1, 4), (2, .nan), (3, 1)], weight: 0.5)
        expectClose([smoothed[0].y, smoothed[1].y, smoothed[3].y], [1, 3, 13.0 / 7], absolute: 1e-12)
        #expect(smoothed[2].y.isNaN)
    }

    @Test func thinningKeepsSpikesAndGaps() {
        var points = (0..<10_000).map { (x: Double($0), y: 1.0) }
        points[3456].y = 99
        points[6789].y = -99
        points[5000].y = .nan
        let thinned = ChartCurve.thinned(points, columns: 100)
        #expect(thinned.count <= 500)
        #expect(thinned.contains { $0.y == 99 } && thinned.contains { $0.y == -99 } && thinned.contains { $0.y.isNaN })
        #expect(thinned.first?.x == 0 && thinned.last?.x == 9999)
        #expect(zip(thinned, thinned.dropFirst()).allSatisfy { $0.x < $1.x })
    }

    @Test(
        arguments: [
            (0.0, 10.0, [0, 2, 4, 6, 8, 10]), (0.13, 0.58, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
            (-1, 1, [-1, -0.5, 0, 0.5, 1]),
            (0, 1040, [0, 200, 400, 600, 800, 1000, 1200]),
        ] as [(Double, Double, [Double])])
    func linearTicks(_ lower: Double, _ upper: Double, _ ticks: [Double]) throws {
        let axis = try #require(ChartAxis([lower, upper]))
        expectClose(axis.ticks, ticks, absolute: 1e-12)
        #expect(axis.lower <= lower && axis.upper >= upper)
        let tight = try #require(ChartAxis([lower, upper], isTight: true))
        #expect(tight.lower == lower && tight.upper == upper)
        #expect(tight.ticks.allSatisfy { $0 >= lower && $0 <= upper })
    }

    @Test func logarithmicTicks() throws {
        expectClose(
            try #require(ChartAxis([0.3, 8], isLogarithmic: true)).ticks, [0.2, 0.5, 1, 2, 5, 10], absolute: 1e-12)
        expectClose(
            try #require(ChartAxis([1e-6, 0.5], isLogarithmic: true)).ticks.map(log10), [-6, -5, -4, -3, -2, -1, 0],
            absolute: 1e-9)
    }

    @Test func numericColumnsStandRight() {
        let html = HTMLPage(
            title: "", sections: [.table(.init(header: ["Split", "R@1"], rows: [["train", "68 %"], ["test", "–"]]))]
        ).html()
        #expect(html.contains("<tr><td>train</td><td class=\"number\">68 %</td></tr>"))
        #expect(html.contains("<tr><th>Split</th><th class=\"number\">R@1</th></tr>"))
    }
}
