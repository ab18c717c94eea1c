import ConcordCore
import ConcordData
import ConcordLosses
import ConcordTensor

/// Measures a model's retrieval on a data set: its images are embedded once, its captions as they are asked for.
public final class RetrievalEvaluation {
    private let model: EmbeddingModel
    private let dataset: CaptionDataset
    private let gallery: ImageGallery
    /// The vectors of the captions that were asked for, so that another split of the same ones costs nothing.
    private var texts: [Selection: Tensor] = [:]

    private struct Selection: Hashable {
        let language, kind: String?
    }

    /// - Parameter gallery: the data set's images, embedded by the model.
    public init(model: EmbeddingModel, dataset: CaptionDataset, gallery: ImageGallery) {
        self.model = model
        self.dataset = dataset
        self.gallery = gallery
    }

    /// Searches the captions of `split` among all images, and the images of `split` among all captions.
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
            positives: queries.map { [captions[$0].image] })

        var captionsOfImage = [Int: [Int]]()
        for (index, caption) in captions.enumerated() { captionsOfImage[caption.image, default: []].append(index) }
        let images = Set(queries.map { captions[$0].image }).sorted()
        let imageRanks = RetrievalRanks.compute(
            queries: gallery.vectors.indexSelected(axis: 0, Tensor(images, shape: [images.count])),
            gallery: texts, positives: images.map { captionsOfImage[$0] ?? [] })
        return RetrievalResult(
            textToImage: RetrievalMetrics(ranks: textRanks), imageToText: RetrievalMetrics(ranks: imageRanks),
            queries: queries.count, images: images.count, gallery: gallery.items.count)
    }

    /// Measures images of `split` paired with their first caption each; captions that read the same match each other's
    /// images, too. At most `limit` pairs, spread over the split, are looked at.
    ///
    /// - Parameter bins: of the histograms of cosines.
    /// - Throws: as ``measure(split:language:kind:)``.
    package func measureEmbeddings(
        split: String, language: String?, kind: String?, bins: Int = 80, limit: Int = 8192
    ) throws(ConcordError) -> EmbeddingMeasures {
        let captions = Self.captions(of: gallery.items, language: language, kind: kind)
        let queries = try queries(captions, split: split, language: language, kind: kind)
        let texts = try vectors(of: captions, Selection(language: language, kind: kind))
        var seen = Set<Int>()
        let firsts = queries.filter { seen.insert(captions[$0].image).inserted }
        let count = min(limit, firsts.count)
        let chosen = (0..<count).map { firsts[$0 * firsts.count / count] }
        var labels = [String: Int]()
        let images = gallery.vectors.indexSelected(axis: 0, Tensor(chosen.map { captions[$0].image }))
        let selected = texts.indexSelected(axis: 0, Tensor(chosen))
        let report = try ContrastiveReport(
            images, selected,
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
            report: report, imageRank: try effectiveRank(images), textRank: try effectiveRank(selected))
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
        if split != "all" { _ = try dataset.images(ofSplit: split) }
        let captions = captions(of: dataset.items, language: language, kind: kind)
        guard captions.contains(where: { split == "all" || $0.split == split }) else {
            throw nothingLeft(dataset, split: split, language: language, kind: kind)
        }
    }

    private struct SelectedCaption {
        let text: String
        let split: String?
        /// Row of the image in the gallery.
        let image: Int
    }

    private static func captions(of items: [CaptionItem], language: String?, kind: String?) -> [SelectedCaption] {
        let hasNames = items.contains { $0.captions.contains { $0.kind == "name" } }
        let kind = kind ?? (hasNames ? "name" : nil)
        return items.enumerated().flatMap { image, item in
            item.captions.filter {
                (language == nil || $0.language == language) && (kind == nil || $0.kind == kind)
            }.map { SelectedCaption(text: $0.text, split: item.split, image: image) }
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

/// Retrieval in both directions over a selection of captions.
public struct RetrievalResult: Sendable, Hashable {
    package let textToImage, imageToText: RetrievalMetrics
    /// The numbers of caption queries and of the images that they were searched in.
    public let queries, gallery: Int
    /// The number of image queries in the other direction.
    public let images: Int

    init(
        textToImage: RetrievalMetrics, imageToText: RetrievalMetrics, queries: Int, images: Int, gallery: Int
    ) {
        self.textToImage = textToImage
        self.imageToText = imageToText
        self.queries = queries
        self.images = images
        self.gallery = gallery
    }

    /// The form that `concord evaluate --json` prints.
    public var json: JSONValue {
        [
            "text_to_image": textToImage.json, "image_to_text": imageToText.json, "queries": .integer(queries),
            "gallery": .integer(gallery),
        ]
    }

    /// The form that `concord evaluate` prints.
    public var table: String {
        func line(_ cells: [String]) -> String {
            cells.enumerated().map { index, cell in
                let padding = String(repeating: " ", count: max(0, (index == 0 ? 14 : 12) - cell.count))
                return index == 0 ? cell + padding : padding + cell
            }.joined()
        }
        return [
            "\(queries) queries, \(gallery) images",
            line(["", "R@1 %", "R@5 %", "R@10 %", "median rank"]),
            line(["text → image"] + textToImage.cells),
            line(["image → text"] + imageToText.cells),
        ].joined(separator: "\n")
    }
}

/// Retrieval metrics of queries against a gallery.
public struct RetrievalMetrics: Sendable, Hashable {
    /// Shares of queries whose best match is among the first 1, 5 and 10.
    package let recallAt1, recallAt5, recallAt10: Double
    /// The median over queries of the rank of the best match; the first rank is 1.
    package let medianRank: Double

    /// Summarises ranks, the first being 1.
    public init(ranks: [Int]) {
        func recall(_ k: Int) -> Double {
            ranks.isEmpty ? 0 : Double(ranks.count { $0 <= k }) / Double(ranks.count)
        }
        recallAt1 = recall(1)
        recallAt5 = recall(5)
        recallAt10 = recall(10)
        let sorted = ranks.sorted(), middle = ranks.count / 2
        medianRank =
            ranks.isEmpty
            ? 0 : Double(ranks.count % 2 == 1 ? 2 * sorted[middle] : sorted[middle - 1] + sorted[middle]) / 2
    }

    /// Recalls in per cent and the median rank, as tables show them.
    package var cells: [String] {
        [recallAt1, recallAt5, recallAt10].map { NumberText.fixed(100 * $0, decimals: 1) }
            + [NumberText.fixed(medianRank, decimals: 1)]
    }

    public var json: JSONValue {
        [
            "recall@1": .number(recallAt1), "recall@5": .number(recallAt5), "recall@10": .number(recallAt10),
            "median_rank": .number(medianRank),
        ]
    }
}

/// Ranks of the right answers, computed block by block, so that no `[queries, gallery]` matrix is ever stored.
public enum RetrievalRanks {
    /// The rank of each query's best positive in the gallery, the first being 1.
    ///
    /// A gallery row that scores exactly as high as the best positive counts as before it, so that a model which maps
    /// everything to one point ranks last and not first. A query's other positives never count against it.
    ///
    /// - Parameters:
    ///   - queries: unit vectors `[queries, width]`.
    ///   - gallery: unit vectors `[gallery, width]`.
    ///   - positives: for each query the gallery rows that belong to it, at least one, each once.
    ///   - blockSize: queries scored at once.
    public static func compute(
        queries: Tensor, gallery: Tensor, positives: [[Int]], blockSize: Int = 512
    ) -> [Int] {
        precondition(queries.shape[0] == positives.count, "every query needs its positives")
        return withoutGradient {
            let columns = gallery.transposed(0, 1)
            return stride(from: 0, to: positives.count, by: blockSize).flatMap { start in
                let block = positives[start..<min(start + blockSize, positives.count)]
                let scores = queries.sliced(axis: 0, from: start, to: start + block.count).matmul(columns)  // [b, G]
                let most = block.map(\.count).max() ?? 1
                // Rows with fewer positives than the most repeat their first one; [b, most].
                let padded = block.flatMap { own in own + Array(repeating: own[0], count: most - own.count) }
                let own = scores.gathered(axis: 1, Tensor(padded, shape: [block.count, most]))
                let best = own.maximum(axis: 1, keepingAxes: true).values
                // What does not score lower counts as before it, which a score that is not a number does not either.
                let after = scores.less(than: best).to(.int64).sum(axes: [1]).scalars(as: Int.self)
                let count = scores.shape[1]
                // The best positive and those that tie with it do not stand before it.
                let ownValues = own.scalars(as: Float.self), bestValues = best.scalars(as: Float.self)
                return zip(after, block).enumerated().map { row, pair in
                    let tied = pair.1.indices.count { !(ownValues[row * most + $0] < bestValues[row]) }
                    return count - pair.0 - tied + 1
                }
            }
        }
    }
}

/// Statistics of a model's embeddings of images and their captions.
package struct EmbeddingMeasures: Sendable, Hashable {
    /// Images first, captions second.
    package let report: ContrastiveReport
    /// The effective rank of the vectors of either side: ``ConcordLosses/effectiveRank(_:)``.
    package let imageRank, textRank: Double
}
