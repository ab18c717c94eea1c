import ConcordCore
import ConcordData
import ConcordLosses
import ConcordTensor

/// Measures a model's retrieval on a data set: its pictures are embedded once, its captions as they are asked for.
public final class RetrievalEvaluation {
    private let model: EmbeddingModel
    private let dataset: CaptionDataset
    private let gallery: PictureGallery
    /// The vectors of the captions that were asked for, so that another split of the same ones costs nothing.
    private var texts: [Selection: Tensor] = [:]

    private struct Selection: Hashable {
        let language, kind: String?
    }

    /// - Parameter gallery: the data set's pictures, embedded by the model.
    public init(model: EmbeddingModel, dataset: CaptionDataset, gallery: PictureGallery) {
        self.model = model
        self.dataset = dataset
        self.gallery = gallery
    }

    /// Searches the captions of `split` among all pictures, and the pictures of `split` among all captions.
    ///
    /// - Parameters:
    ///   - split: the name of a split, or `all`.
    ///   - language: only captions of this language, on both sides; nil takes all.
    ///   - kind: only captions of this kind, on both sides; nil takes `name` where the data set has names, else all.
    /// - Throws: `.invalidDataset` when no caption is left, naming what the data set has.
    public func measure(split: String, language: String?, kind: String?) throws(ConcordError) -> RetrievalResult {
        let captions = Self.captions(of: gallery.items, language: language, kind: kind)
        let queries = try queries(captions, split: split, language: language, kind: kind)
        let texts = try vectors(of: captions, Selection(language: language, kind: kind))

        let rows = Tensor(queries, shape: [queries.count])
        let textRanks = RetrievalRanks.compute(
            queries: texts.indexSelected(axis: 0, rows), gallery: gallery.vectors,
            positives: queries.map { [captions[$0].picture] })

        var captionsOfPicture = [Int: [Int]]()
        for (index, caption) in captions.enumerated() { captionsOfPicture[caption.picture, default: []].append(index) }
        let pictures = Set(queries.map { captions[$0].picture }).sorted()
        let imageRanks = RetrievalRanks.compute(
            queries: gallery.vectors.indexSelected(axis: 0, Tensor(pictures, shape: [pictures.count])),
            gallery: texts, positives: pictures.map { captionsOfPicture[$0] ?? [] })
        return RetrievalResult(
            textToImage: RetrievalMetrics(ranks: textRanks), imageToText: RetrievalMetrics(ranks: imageRanks),
            queries: queries.count, pictures: pictures.count, gallery: gallery.items.count)
    }

    /// Measures pictures of `split` paired with their first caption each; captions that read the same match each other's
    /// pictures, too. At most `limit` pairs, spread over the split, are looked at.
    ///
    /// - Parameter bins: of the histograms of cosines.
    /// - Throws: as ``measure(split:language:kind:)``.
    public func measureEmbeddings(
        split: String, language: String?, kind: String?, bins: Int = 80, limit: Int = 8192
    ) throws(ConcordError) -> EmbeddingMeasures {
        let captions = Self.captions(of: gallery.items, language: language, kind: kind)
        let queries = try queries(captions, split: split, language: language, kind: kind)
        let texts = try vectors(of: captions, Selection(language: language, kind: kind))
        var seen = Set<Int>()
        let firsts = queries.filter { seen.insert(captions[$0].picture).inserted }
        let count = min(limit, firsts.count)
        let chosen = (0..<count).map { firsts[$0 * firsts.count / count] }
        var labels = [String: Int]()
        let pictures = gallery.vectors.indexSelected(axis: 0, Tensor(chosen.map { captions[$0].picture }))
        let selected = texts.indexSelected(axis: 0, Tensor(chosen))
        let report = try ContrastiveReport(
            pictures, selected,
            labels: Tensor(
                chosen.enumerated().map { place, row in
                    let label = labels[captions[row].text] ?? place
                    labels[captions[row].text] = label
                    return label
                }), bins: bins)
        guard report.nonFiniteCount == 0 else {
            return EmbeddingMeasures(report: report, imageRank: .nan, textRank: .nan)
        }
        return EmbeddingMeasures(
            report: report, imageRank: try effectiveRank(pictures), textRank: try effectiveRank(selected))
    }

    private func queries(
        _ captions: [SelectedCaption], split: String, language: String?, kind: String?
    ) throws(ConcordError) -> [Int] {
        let queries = captions.indices.filter { split == "all" || captions[$0].split == split }
        guard !queries.isEmpty else { throw Self.nothingLeft(dataset, split: split, language: language, kind: kind) }
        return queries
    }

    private func vectors(of captions: [SelectedCaption], _ selection: Selection) throws(ConcordError) -> Tensor {
        if let known = texts[selection] { return known }
        let vectors = try model.embed(texts: captions.map(\.text)).vectors
        texts[selection] = vectors
        return vectors
    }

    /// Throws `.invalidDataset` when `measure` would find no caption: to be asked before anything that takes long.
    public static func check(
        _ dataset: CaptionDataset, split: String, language: String?, kind: String?
    ) throws(ConcordError) {
        if split != "all" { _ = try dataset.pictures(ofSplit: split) }
        let captions = captions(of: dataset.items, language: language, kind: kind)
        guard captions.contains(where: { split == "all" || $0.split == split }) else {
            throw nothingLeft(dataset, split: split, language: language, kind: kind)
        }
    }

    private struct SelectedCaption {
        let text: String
        let split: String?
        /// Row of the picture in the gallery.
        let picture: Int
    }

    private static func captions(of items: [CaptionItem], language: String?, kind: String?) -> [SelectedCaption] {
        let hasNames = items.contains { $0.captions.contains { $0.kind == "name" } }
        let kind = kind ?? (hasNames ? "name" : nil)
        return items.enumerated().flatMap { picture, item in
            item.captions.filter {
                (language == nil || $0.language == language) && (kind == nil || $0.kind == kind)
            }.map { SelectedCaption(text: $0.text, split: item.split, picture: picture) }
        }
    }

    private static func nothingLeft(
        _ dataset: CaptionDataset, split: String, language: String?, kind: String?
    ) -> ConcordError {
        func list(_ values: [String?]) -> String {
            Set(values.compactMap(\.self)).sorted().joined(separator: ", ")
        }
        let captions = dataset.items.flatMap(\.captions)
        return ConcordError(
            .invalidDataset,
            "no caption has split \(split), language \(language ?? "any") and kind \(kind ?? "any"); the data set has "
                + "the splits all, \(list(dataset.items.map(\.split))); languages \(list(captions.map(\.language))); "
                + "kinds \(list(captions.map(\.kind)))")
    }
}
