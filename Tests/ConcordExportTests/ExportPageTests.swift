import ConcordEvaluate
import ConcordExport
import ConcordONNX
import ConcordRuntime
import Foundation
import Testing

#if canImport(FoundationXML)
    import FoundationXML
#endif

@Suite struct ExportPageTests {
    private func report(_ layers: [(name: String, ArtifactManifest.Precision, ratio: Double)])
        -> QuantizationReport
    {
        let measures = QuantizationMeasures(
            meanCosine: 0.9984, worstCosine: 0.97, cosines: [1, 0.97, 0.998, 0.9999], others: ["recall@1": 0.84])
        return QuantizationReport(
            method: .calibrated(StaticQuantization(ranges: [:], reducesWeightRange: true)),
            criteria: AcceptanceCriteria(minimums: ["recall@1": 0.845]), float32ByteCount: 4_000_000,
            quantizedByteCount: 1_000_000, before: measures, after: measures,
            layers: layers.enumerated().map { index, entry in
                QuantizationReport.Layer(
                    layer: QuantizableLayer(
                        name: "result.\(index)", kind: .product, weight: entry.name, shape: [64, 256], input: "x"),
                    precision: entry.1, signalToNoise: entry.ratio)
            })
    }

    private func page(
        name: String = "emoji", precision: ArtifactManifest.Precision = .int8,
        layers: [(name: String, ArtifactManifest.Precision, ratio: Double)]
    ) -> String {
        var options = ExportOptions()
        options.precision = precision
        let speed = GraphSpeed(float32: 30, quantized: 12, rows: 8)
        return ExportPage(
            name: name, options: options, runtime: "1.32.0",
            parity: ExportParity(
                images: .init(inputs: 32, largestError: 2.4e-6), texts: .init(inputs: 64, largestError: 1e-6),
                logits: .init(inputs: 300, largestError: 3e-5), differentTokens: 0, tolerance: 1e-4),
            graphs: [
                .init(
                    role: .image, float32ByteCount: 4_000_000, byteCount: 1_000_000, quantization: report(layers),
                    speed: speed),
                .init(role: .text, float32ByteCount: 500_000, byteCount: 500_000, speed: speed),
            ], recall: .init(split: name, float32: 0.85, quantized: 0.846)
        ).html.html()
    }

    /// The charts of a page.
    private func charts(_ html: String) -> [String] {
        html.components(separatedBy: "<svg").dropFirst().map {
            "<svg" + ($0.components(separatedBy: "</svg>").first ?? "") + "</svg>"
        }
    }

    @Test func everyLayerHasABarInTheColourOfItsPrecision() throws {
        let html = page(layers: [
            ("vision.0.qkv.transposed", .int8, 38.2), ("vision.0.out.transposed", .float32, 8.5),
            ("vision.1.qkv", .int8, .infinity), ("vision.1.out", .float32, -.infinity),
        ])
        let chart = try #require(charts(html).first { $0.contains("signal-to-noise") })
        let bars = chart.components(separatedBy: "<rect class=\"bar\"").dropFirst()
        #expect(bars.map { $0.contains("var(--series-1)") } == [false, true, false, true])
        #expect(bars.map { $0.contains("var(--series-0)") } == [true, false, true, false])
        // In the order of the graph, by the names of parameters.
        let names = chart.components(separatedBy: "<text class=\"name\"").dropFirst().map {
            $0.drop { $0 != ">" }.dropFirst().prefix { $0 != "<" }
        }
        #expect(names == ["vision.0.qkv", "vision.0.out", "vision.1.qkv", "vision.1.out"])
        #expect(chart.contains("vision.0.out.transposed, product 64 × 256, float32: 8.5 dB"))
        #expect(chart.contains(">float32</tspan>") && !chart.contains("int8-weights"))
        #expect(html.contains("<b>2</b><span>of 4 layers in int8, within the accuracy limits</span>"))
        #expect(!html.contains("NaN"))

        let weights = page(layers: [("a", .int8, 30), ("b", .int8Weights, 9)])
        let third = try #require(charts(weights).first { $0.contains("signal-to-noise") })
        #expect(third.contains("var(--series-2)") && third.contains(">int8-weights</tspan>"))
        // Of an export that has only weights in 8 bits, they are what was asked for.
        let alone = page(precision: .int8Weights, layers: [("a", .int8Weights, 30), ("b", .float32, 9)])
        let two = try #require(charts(alone).first { $0.contains("signal-to-noise") })
        #expect(two.contains("var(--series-0)") && !two.contains("var(--series-2)"))
        #expect(alone.contains("<b>1</b><span>of 2 layers in int8"))
    }

    @Test func theHeadSaysWhatWasMeasured() {
        let html = page(layers: [("a", .int8, 30)])
        for (value, label) in [
            ("1.5 MB", "graphs, 3.00× smaller"), ("2.50×", "speed of float32: image graph, batch of 8"),
            ("84.6 %", "R@1, emoji; float32: 85.0 %"),
            ("0.99840", "lowest mean cosine to float32; worst sample: 0.97000"),
            ("all", "1 layers in int8, within the accuracy limits"),
            ("3e-5", "largest difference from libtorch; allowed: 0.0001"),
        ] {
            #expect(html.contains("<b>\(value)</b><span>\(label)</span>"), "\(value) \(label)")
        }
        #expect(html.contains(">limit 84.5</tspan>"))
        #expect(html.contains("<td>image</td><td class=\"number\">32</td><td>images</td>"))
        #expect(html.contains("Caption tokens that differ: 0."))
        #expect(html.contains("image: 4 samples"))
    }

    @Test func namesAreEscapedAndChartsAreWellFormed() {
        let hostile = "<script>alert('x')</script> & \"quotes\" \u{1}"
        let html = page(name: hostile, layers: [(hostile, .int8, 30), (hostile, .float32, .nan)])
        #expect(!html.contains("<script"))
        #expect(html.contains("<h1>ONNX export of &lt;script&gt;alert(&#39;x&#39;)"))
        let charts = charts(html)
        // Size, time, retrieval; the layers and the cosines of the one graph that has some.
        #expect(charts.count == 5)
        for chart in charts { #expect(XMLParser(data: Data(chart.utf8)).parse(), "\(chart)") }
        #expect(html.components(separatedBy: "http").count - 1 == charts.count, "nothing but the name of SVG")
        #expect(!html.contains("url(") && !html.contains("src="))
    }

    @Test func anExportOfFloat32HasParityAlone() {
        let html = ExportPage(
            name: "m", options: ExportOptions(), runtime: "1.32.0",
            parity: ExportParity(images: nil, texts: .init(inputs: 64, largestError: .infinity), tolerance: 1e-4),
            graphs: [.init(role: .text, float32ByteCount: 500, byteCount: 500)]
        ).html.html()
        #expect(charts(html).isEmpty && html.contains("<b>500 B</b><span>graphs in float32</span>"))
        #expect(html.contains("<td>text</td>") && !html.contains("<td>image</td>"))
        #expect(!html.contains("cosine"))
    }

    /// What a bar showed: how many batches of how many, and what they were run for.
    @Test func batchesCountThemselves() throws {
        let output = Output()
        var pace = ProgressBar.Pace()
        pace.plainLine = 0
        let bar = ProgressBar(isInteractive: false, usesColor: false, pace: pace, width: { 80 }) {
            output.lines.append(String($0.prefix { $0 != ":" }) + ":" + $0.drop { $0 != ":" }.dropFirst().prefix(5))
        }
        let progress = QuantizationProgress(ProgressDisplay(label: "quantizing", bar: bar))
        let value = try OnnxValue([Float(1)], shape: [1])
        progress.expect(.image, .gate, count: 2)
        progress.expect(.text, .gate, count: 1)
        let batches = progress.counted([["x": value], ["x": value]], .image, .gate)
        // Once as expected, and again as nobody expected; one behind the last is no batch.
        for _ in 0..<2 {
            var index = 0
            while try batches.batch(index) != nil { index += 1 }
        }
        #expect(
            output.lines == [
                "quantizing 0/3 image: gate", "quantizing 1/3 image: gate", "quantizing 2/3 image: gate",
                "quantizing 2/5 image: gate", "quantizing 3/5 image: gate", "quantizing 4/5 image: gate",
            ])
    }

    private final class Output { var lines: [String] = [] }
}
