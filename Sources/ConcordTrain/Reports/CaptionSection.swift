import ConcordCore
import ConcordData
import ConcordEvaluate
import ConcordMedia
import ConcordText

/// The part of a CoCa's training report that shows what it writes: scores of each split, and pictures of the first one.
struct CaptionSection {
    private static let pictureCount = 12

    let captioner: Captioner
    let dataset: CaptionDataset
    let splits: [String]
    let evaluate: Recipe.EvaluateSection
    let progress: ProgressDisplay

    /// Captions every picture of the splits, by the likeliest token each time.
    func sections() throws -> [HTMLPage.Section] {
        let languages: [String?] = evaluate.languages.isEmpty ? [nil] : evaluate.languages
        var rows = [[String]](), pictures = [PictureGrid.Query]()
        for split in splits {
            for language in languages {
                let found = try CaptionEvaluation(
                    captioner, dataset: dataset, split: split, language: language, kind: evaluate.kind,
                    progress: progress)
                let scores = found.metrics.overall
                rows.append(
                    [split, language ?? "all", "\(found.pictures.count)"]
                        + [scores.exactMatch, scores.bleu4, scores.exactMETEOR, scores.rougeL].map {
                            NumberText.fixed(100 * $0, decimals: 1)
                        } + [NumberText.fixed(scores.cider, decimals: 2)])
                if pictures.isEmpty { pictures = try examples(found) }
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
            .pictures(PictureGrid(pictures)),
        ]
    }

    /// Pictures spread over a split, each with its reference, the caption and its logarithmic probability.
    private func examples(_ found: CaptionEvaluation) throws -> [PictureGrid.Query] {
        let count = min(Self.pictureCount, found.pictures.count)
        return try (0..<count).map { index in
            let place = (2 * index + 1) * found.pictures.count / (2 * count), picture = found.pictures[place]
            let image = try Image(contentsOf: dataset.path(ofImage: picture.image))
            return PictureGrid.Query(
                caption: picture.references.joined(separator: " / "),
                picture: try PictureGrid.Picture(thumbnailOf: image),
                results: [
                    PictureGrid.Result(
                        picture: nil, caption: picture.caption.text, score: picture.caption.tokens.logProbability,
                        isRight: found.metrics.captions[place].scores.exactMatch == 1)
                ])
        }
    }
}
