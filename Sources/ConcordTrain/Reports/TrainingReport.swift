import ConcordCore
import ConcordData
import ConcordEvaluate
import ConcordLosses
import ConcordMedia
import ConcordText
import Foundation

/// `report.html`: how well the model retrieves, what it finds for a dozen queries, and how training went.
struct TrainingReport {
    let recipe: Recipe
    let folder: RunFolder
    let model: EmbeddingModel
    let gallery: ImageGallery
    let split: TrainingSplit
    let plan: TrainingPlan
    let survey: DataSurvey
    /// Shows the work that takes long.
    let progress: ProgressDisplay

    private static let queryCount = 12
    private static let resultCount = 6

    private var dataset: CaptionDataset { split.dataset }

    /// Measures, draws and writes the page.
    ///
    /// - Returns: what is wrong with the model, if anything is: the page says it, too.
    func write() throws -> [String] {
        let evaluation = RetrievalEvaluation(model: model, dataset: dataset, gallery: gallery)
        let results = try measure(evaluation)
        let embeddings = EmbeddingSection(results.map { ($0.split, $0.language, $0.embeddings) })
        let lines = try MetricsLog.read(folder.metrics)
        let warnings = warnings(results, lines)
        var page = HTMLPage(
            title: "Training report",
            subtitle: "\(folder.path) · concord \(ConcordVersion.current) · \(recipe.data.folder)")
        page.sections =
            [.figures(figures(results, lines))] + warnings.map { .paragraph($0 + ".") }
            + [
                .heading("Retrieval"), .table(table(results)), .heading("Example queries"),
                .images(ImageGrid(try queries())),
            ]
        if let captioner = try? Captioner(model) {
            page.sections += try CaptionSection(
                captioner: captioner, dataset: dataset, splits: split.evaluated, evaluate: recipe.evaluate,
                progress: progress
            ).sections()
        }
        page.sections += embeddings.sections
        page.sections += [
            .heading("Training"), .charts(charts(lines)), .heading("Recipe"), .code(recipe.text),
        ]
        try page.write(to: folder.report)
        return warnings
    }

    // MARK: Retrieval

    private struct Row {
        let split, language: String
        let result: RetrievalResult
        let embeddings: EmbeddingMeasures
    }

    private func measure(_ evaluation: RetrievalEvaluation) throws -> [Row] {
        try split.evaluated.flatMap { split in
            try recipe.evaluate.measuredLanguages.map { language in
                try InterruptSignal.check()
                return Row(
                    split: split, language: language ?? "all",
                    result: try evaluation.measure(split: split, language: language, kind: recipe.evaluate.kind),
                    embeddings: try evaluation.measureEmbeddings(
                        split: split, language: language, kind: recipe.evaluate.kind))
            }
        }
    }

    private func warnings(_ rows: [Row], _ lines: [JSONValue]) -> [String] {
        func last(_ name: String) -> Double { lines.last?[name]?.double ?? .nan }
        let contrastive = last("contrastive_loss")
        let check = ChanceWarning(
            recipe: recipe, plan: plan, survey: survey, loss: contrastive.isNaN ? last("loss") : contrastive,
            guessingLoss: recipe.loss.kind == .infonce ? last("ln_n") : .nan)
        return check.warnings(
            for: rows.map { row in
                let report = row.embeddings.report
                return ChanceWarning.Measurement(
                    split: row.split, isTrained: split.isTrained(row.split), result: row.result,
                    uniformity: report.nonFiniteCount > 0
                        ? .nan : max(report.first.uniformity, report.second.uniformity))
            })
    }

    private func table(_ rows: [Row]) -> HTMLTable {
        HTMLTable(
            header: ["split", "language", "direction", "queries", "R@1 %", "R@5 %", "R@10 %", "median rank"],
            rows: rows.flatMap { row in
                [
                    ("text → image", row.result.queries, row.result.textToImage),
                    ("image → text", row.result.images, row.result.imageToText),
                ].map { [row.split, row.language, $0, String($1)] + $2.cells }
            },
            caption: "Texts are searched among all \(gallery.items.count) images, images among all captions of "
                + "the language.")
    }

    // MARK: Figures and curves

    /// The figures at the top of the page: retrieval of the first split that is evaluated.
    private func figures(_ rows: [Row], _ lines: [JSONValue]) -> [HTMLPage.Figure] {
        func last(_ name: String) -> Double { lines.last?[name]?.double ?? .nan }
        let recalls = rows.first.map { row in
            [("text → image", row.result.textToImage), ("image → text", row.result.imageToText)].map {
                HTMLPage.Figure(
                    NumberText.fixed(100 * $1.recallAt1, decimals: 1) + " %", "R@1 \($0), \(row.split)")
            }
        }
        let speeds = lines.compactMap { $0["samples_per_second"]?.double }.sorted()
        return (recalls ?? []) + [
            .init("\(gallery.items.count)", "images searched"),
            .init(NumberText.fixed(last("step"), decimals: 0), "steps"),
            .init(NumberText.fixed(speeds.isEmpty ? 0 : speeds[speeds.count / 2], decimals: 0), "images per second"),
        ]
    }

    private func charts(_ lines: [JSONValue]) -> [LineChart] {
        func series(_ name: String, _ title: String, smoothing: Double = 0) -> LineChart.Series {
            LineChart.Series(
                title,
                lines.compactMap { line in
                    line["step"]?.double.flatMap { step in line[name]?.double.map { (x: step, y: $0) } }
                }, smoothing: smoothing)
        }
        func chart(_ title: String, _ series: LineChart.Series...) -> LineChart {
            LineChart(title: title, series: series, xLabel: "step")
        }
        // What guessing costs, for the loss of which that is known.
        let guessing = recipe.loss.kind == .infonce ? [series("ln_n", "guessing (ln N)")] : []
        let isCoCa = lines.last?["caption_loss"] != nil
        let losses =
            [series("loss", "loss", smoothing: 0.9)]
            + (isCoCa
                ? [
                    series("contrastive_loss", "contrastive", smoothing: 0.9),
                    series("caption_loss", "caption", smoothing: 0.9),
                ] : []) + guessing
        return [
            LineChart(title: "Loss", series: losses, xLabel: "step"),
            chart("In-batch accuracy", series("accuracy", "accuracy", smoothing: 0.9)),
            chart(
                "Cosine similarity", series("positive_cosine", "pairs", smoothing: 0.9),
                series("negative_cosine", "others", smoothing: 0.9)),
            chart(
                "Alignment and uniformity", series("alignment", "alignment", smoothing: 0.9),
                series("uniformity_image", "uniformity (images)", smoothing: 0.9),
                series("uniformity_text", "uniformity (captions)", smoothing: 0.9)),
            chart("Logit scale", series("logit_scale", "logit scale")),
            chart("Learning rate", series("learning_rate", "learning rate")),
            chart("Gradient norm", series("gradient_norm", "norm", smoothing: 0.9)),
        ]
    }

    // MARK: Queries

    /// Captions spread over the first split that is measured, each with the images found first.
    private func queries() throws -> [ImageGrid.Query] {
        let split = self.split.evaluated.first ?? "all"
        let rows = gallery.items.indices.filter { split == "all" || gallery.items[$0].split == split }
        let count = min(Self.queryCount, rows.count)
        let search = ImageSearch(model: model, dataset: dataset, gallery: gallery)
        return try (0..<count).compactMap { index in
            let row = rows[(2 * index + 1) * rows.count / (2 * count)], item = gallery.items[row]
            // Languages take turns.
            let languages = recipe.evaluate.languages
            let language = languages.isEmpty ? nil : languages[index % languages.count]
            let caption = item.captions.first { language == nil || $0.language == language } ?? item.captions[0]
            let found = try search.find(.text(caption.text), top: gallery.items.count)
            return ImageGrid.Query(
                caption: caption.text,
                results: try found.prefix(Self.resultCount).map { result in
                    ImageGrid.Result(
                        image: try search.thumbnail(result), caption: result.caption, score: result.score,
                        isRight: result.image == item.image)
                },
                rank: found.firstIndex { $0.image == item.image }.map { $0 + 1 })
        }
    }
}

/// The part of a training report that shows how the embeddings lie: histograms of cosines, and figures.
struct EmbeddingSection {
    private let measures: [(split: String, language: String, measures: EmbeddingMeasures)]

    init(_ measures: [(split: String, language: String, measures: EmbeddingMeasures)]) { self.measures = measures }

    var sections: [HTMLPage.Section] {
        // Once for each kind: the table shows where else it is so.
        var seen = Set<EmbeddingWarning.Kind>()
        let warnings = measures.flatMap { row in
            row.measures.report.warnings(firstName: "image", secondName: "caption")
                .filter { seen.insert($0.kind).inserted }
                .map { HTMLPage.Section.paragraph("\(row.split), \(row.language): \($0.message).") }
        }
        let histograms = measures.map { histogram($0.split, $0.language, $0.measures) }
        return [.heading("Embeddings")] + warnings + [.table(table), .charts(histograms)]
    }

    private var table: HTMLTable {
        HTMLTable(
            header: [
                "split", "language", "pairs", "cosine of pairs", "of others", "alignment", "uniformity of images",
                "of captions", "rank of images", "of captions",
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
                "Each image with its first caption. Alignment is the mean squared distance of pairs, 0 where they "
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

/// The part of a CoCa's training report that shows what it writes: scores of each split, and images of the first one.
struct CaptionSection {
    private static let imageCount = 12

    let captioner: Captioner
    let dataset: CaptionDataset
    let splits: [String]
    let evaluate: Recipe.EvaluateSection
    let progress: ProgressDisplay

    /// Captions every image of the splits, by the likeliest token each time.
    func sections() throws -> [HTMLPage.Section] {
        var rows = [[String]](), images = [ImageGrid.Query]()
        for split in splits {
            for language in evaluate.measuredLanguages {
                let found = try CaptionEvaluation.measure(
                    captioner, dataset: dataset, split: split, language: language, kind: evaluate.kind,
                    progress: progress)
                let scores = found.metrics.overall
                rows.append(
                    [split, language ?? "all", "\(found.images.count)"]
                        + [scores.exactMatch, scores.bleu4, scores.exactMETEOR, scores.rougeL].map {
                            NumberText.fixed(100 * $0, decimals: 1)
                        } + [NumberText.fixed(scores.cider, decimals: 2)])
                if images.isEmpty { images = try examples(found) }
            }
        }
        return [
            .heading("Captions"),
            .table(
                HTMLTable(
                    header: [
                        "split", "language", "captions", "exact %", "BLEU-4 %", "METEOR (exact words) %", "ROUGE-L %",
                        "CIDEr-D",
                    ], rows: rows, caption: "Greedy captions against those of the split, language and kind.")),
            .images(ImageGrid(images)),
        ]
    }

    /// Images spread over a split, each with its reference, the caption and its logarithmic probability.
    private func examples(_ found: CaptionEvaluation) throws -> [ImageGrid.Query] {
        let count = min(Self.imageCount, found.images.count)
        return try (0..<count).map { index in
            let place = (2 * index + 1) * found.images.count / (2 * count)
            let captioned = found.images[place]
            let image = try Image(contentsOf: dataset.path(ofFile: captioned.image))
            return ImageGrid.Query(
                caption: captioned.references.joined(separator: " / "), image: try ImageGrid.Thumbnail(of: image),
                results: [
                    ImageGrid.Result(
                        image: nil, caption: captioned.caption.text, score: captioned.caption.tokens.logProbability,
                        isRight: found.metrics.captions[place].scores.exactMatch == 1)
                ])
        }
    }
}
