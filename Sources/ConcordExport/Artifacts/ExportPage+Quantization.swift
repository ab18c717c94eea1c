import ConcordCore
import ConcordEvaluate
import ConcordONNX
import ConcordRuntime

/// The part of the page about quantized graphs.
extension ExportPage {
    /// Series of a chart, in the order of their colours.
    private enum Series: Int {
        case quantized, float32, weights
    }

    private func series(of precision: ArtifactManifest.Precision) -> Series {
        switch precision {
        case options.precision: .quantized
        case .float32: .float32
        case .int8, .int8Weights: .weights
        }
    }

    private var seriesNames: [String] { [options.precision.rawValue, "float32", "int8-weights"] }
    private var comparedNames: [String] { Array(seriesNames.prefix(2)) }

    /// Size, time and, if it was measured, recall.
    var comparisons: [any HTMLChart] {
        func row(_ name: String, _ quantized: Double, _ float32: Double, _ text: (Double) -> String) -> BarChart.Row {
            BarChart.Row(
                name,
                [(float32, Series.float32), (quantized, Series.quantized)].map { value, series in
                    BarChart.Bar(
                        value, text: text(value), series: series.rawValue,
                        note: "\(name), \(comparedNames[series.rawValue]): \(text(value))")
                })
        }
        var charts: [any HTMLChart] = [
            BarChart(
                title: "Size, MB",
                rows: graphs.map { graph in
                    row(
                        Self.title(graph.role), Double(graph.byteCount) / 1e6, Double(graph.float32ByteCount) / 1e6
                    ) { NumberText.significant($0) }
                }, series: comparedNames)
        ]
        let timed = graphs.compactMap { graph in graph.speed.map { (graph.role, $0) } }
        if !timed.isEmpty {
            charts.append(
                BarChart(
                    title: "Time per batch of \(timed[0].1.rows), ms",
                    rows: timed.map { role, speed in
                        row(Self.title(role), speed.quantized, speed.float32) { NumberText.significant($0) }
                    }, series: comparedNames))
        }
        if let recall {
            let least = recall.float32 - GraphQuantization.largestRecallDrop
            charts.append(
                BarChart(
                    title: "R@1, \(recall.split), %",
                    rows: [
                        row("both directions", 100 * recall.quantized, 100 * recall.float32) {
                            NumberText.fixed($0, decimals: 1)
                        }
                    ], series: comparedNames,
                    limit: (100 * least, "limit \(NumberText.fixed(100 * least, decimals: 1))")))
        }
        return charts
    }

    var measures: HTMLTable {
        HTMLTable(
            header: [
                "graph", "layers", "in int8", "mean cosine", "if all int8", "worst cosine", "if all int8",
                "required mean",
            ],
            rows: graphs.compactMap { graph in
                graph.quantization.map { report in
                    [
                        Self.title(graph.role), "\(report.layers.count)",
                        "\(report.layers.count { $0.precision == options.precision })",
                    ]
                        + [
                            report.after.meanCosine, report.before.meanCosine, report.after.worstCosine,
                            report.before.worstCosine,
                        ].map { NumberText.fixed($0, decimals: 5) }
                        + ["≥ " + NumberText.significant(report.criteria.minimumMeanCosine)]
                }
            },
            caption:
                "Cosines are to the outputs in float32. The graphs share one file of weights, so the folder is smaller than "
                + "the sum of its graphs."
        )
    }

    /// A chart per graph: its layers in execution order.
    var layerSections: [HTMLPage.Section] {
        let charts = graphs.compactMap { graph in graph.quantization.map { layerChart(Self.title(graph.role), $0) } }
        guard !charts.isEmpty else { return [] }
        return [
            .heading("Layers"),
            .paragraph(
                "Signal-to-noise ratio of each layer's output when only that layer is quantized: at 20 dB the error is "
                    + "a tenth of the output, at 40 dB a hundredth. If an accuracy limit is exceeded, the layers with "
                    + "the shortest bars are returned to float32 first."),
        ] + charts.map { HTMLPage.Section.charts([$0]) }
    }

    private func layerChart(_ graph: String, _ report: QuantizationReport) -> BarChart {
        let hasWeights = report.layers.contains { series(of: $0.precision) == .weights }
        return BarChart(
            title: "\(graph): signal-to-noise ratio, dB",
            rows: report.layers.map { entry in
                let layer = entry.layer, text = NumberText.fixed(entry.signalToNoise, decimals: 1)
                let place = series(of: entry.precision).rawValue
                let shape = layer.shape.map(String.init).joined(separator: " × ")
                return BarChart.Row(
                    // Weights have the names of the model's parameters; results are only numbered.
                    layer.weight.replacing(".transposed", with: ""),
                    [
                        BarChart.Bar(
                            entry.signalToNoise, text: text, series: place,
                            note: "\(layer.weight), \(layer.kind.rawValue) \(shape), \(seriesNames[place]): "
                                + "\(text) dB")
                    ])
            },
            series: hasWeights ? seriesNames : comparedNames, width: .full)
    }

    /// A histogram of the samples' cosines per graph.
    var histograms: [any HTMLChart] {
        graphs.compactMap { graph in
            guard let after = graph.quantization?.after, !after.cosines.isEmpty else { return nil }
            return HistogramChart(
                title: "\(Self.title(graph.role)): \(after.cosines.count) samples", values: after.cosines,
                xLabel: "cosine to float32 · mean \(NumberText.fixed(after.meanCosine, decimals: 5))")
        }
    }
}
