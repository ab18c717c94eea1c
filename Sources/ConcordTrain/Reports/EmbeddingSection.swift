import ConcordCore
import ConcordEvaluate
import ConcordLosses

/// The part of a training report that shows how the embeddings lie: histograms of cosines, and figures.
struct EmbeddingSection {
    private let measures: [(split: String, language: String, measures: EmbeddingMeasures)]

    init(_ measures: [(split: String, language: String, measures: EmbeddingMeasures)]) { self.measures = measures }

    var sections: [HTMLPage.Section] {
        // Once for each kind: the table shows where else it is so.
        var seen = Set<EmbeddingWarning.Kind>()
        let warnings = measures.flatMap { row in
            row.measures.report.warnings(firstName: "picture", secondName: "caption")
                .filter { seen.insert($0.kind).inserted }
                .map { HTMLPage.Section.paragraph("\(row.split), \(row.language): \($0.message).") }
        }
        let histograms = measures.map { histogram($0.split, $0.language, $0.measures) }
        return [.heading("Embeddings")] + warnings + [.table(table), .charts(histograms)]
    }

    private var table: HTMLTable {
        HTMLTable(
            header: [
                "split", "language", "pairs", "cosine of pairs", "of others", "alignment", "uniformity of pictures",
                "of captions", "rank of pictures", "of captions",
            ],
            rows: measures.map { split, language, measures in
                let report = measures.report
                let figures = [
                    report.positiveCosine, report.negativeCosine, report.alignment, report.first.uniformity,
                    report.second.uniformity,
                ]
                return [split, language, String(report.count)] + figures.map { NumberText.fixed($0, decimals: 3) }
                    + [measures.imageRank, measures.textRank].map { NumberText.fixed($0, decimals: 1) }
            },
            caption:
                "Each picture with its first caption. Alignment is the mean squared distance of pairs, 0 where they "
                + "coincide; uniformity is 0 where all vectors are one point, and about −4 where they are spread evenly; "
                + "the rank is how many directions the vectors make use of.")
    }

    /// The shares of cosines among pairs and among all others, each as a line over the bins between the outermost.
    private func histogram(_ split: String, _ language: String, _ measures: EmbeddingMeasures) -> LineChart {
        let report = measures.report
        let shares = [report.positiveHistogram, report.negativeHistogram].map { $0?.shares ?? [] }
        let centers = report.positiveHistogram?.centers ?? []
        let used = centers.indices.filter { bin in shares.contains { bin < $0.count && $0[bin] > 0 } }
        // An empty bin on either side brings the lines down to the axis.
        let shown = max(0, (used.first ?? 0) - 1)...max(0, min(centers.count - 1, (used.last ?? 0) + 1))
        let series = zip(["pairs", "others"], shares).map { name, shares in
            LineChart.Series(
                name, centers.isEmpty ? [] : shown.map { (x: centers[$0], y: $0 < shares.count ? shares[$0] : 0) })
        }
        return LineChart(title: "Cosines: \(split), \(language)", series: series, xLabel: "cosine", yLabel: "share")
    }
}
