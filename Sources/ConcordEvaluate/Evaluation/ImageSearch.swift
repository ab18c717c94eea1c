import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordMedia
import ConcordModels
import ConcordTensor
import Foundation

/// Finds the images of a data set that match a query best.
public final class ImageSearch {
    /// A query: a text, an image or a sound.
    public enum Query: Sendable {
        case text(String)
        /// The path of an image.
        case image(String)
        /// The path of a sound.
        case audio(String)
    }

    /// An image that was found.
    public struct Result: Sendable {
        /// The image with all its captions.
        public let item: CaptionItem
        /// The image's path within the data set.
        public var image: String { item.image ?? "" }
        /// Cosine to the query.
        public let score: Double
        /// The image's first caption.
        public var caption: String { item.captions.first?.text ?? "" }

        /// Score, image and caption, as `concord search` prints them.
        public var line: String { "\(NumberText.fixed(score, decimals: 4))  \(image)  \(caption)" }

        public var json: JSONValue {
            ["image": .string(image), "score": .number(score), "caption": .string(caption)]
        }
    }

    private let model: EmbeddingModel
    private let dataset: CaptionDataset
    private let gallery: ImageGallery
    private let calibration: ModalityCalibration?
    /// Of the gallery, calibrated where the search is.
    private let vectors: Tensor

    /// - Parameter gallery: the data set's images, embedded by the model.
    public init(model: EmbeddingModel, dataset: CaptionDataset, gallery: ImageGallery) {
        self.model = model
        self.dataset = dataset
        self.gallery = gallery
        calibration = nil
        vectors = gallery.vectors
    }

    /// A search that takes the mean of each modality from queries and images first.
    ///
    /// - Throws: `.invalidConfiguration` for means that are not the model's.
    public init(
        model: EmbeddingModel, dataset: CaptionDataset, gallery: ImageGallery, calibration: ModalityCalibration
    ) throws(ConcordError) {
        self.model = model
        self.dataset = dataset
        self.gallery = gallery
        self.calibration = calibration
        vectors = try calibration(gallery.vectors, of: .image)
    }

    /// The path of a result's image.
    func path(of result: Result) -> String { dataset.path(ofFile: result.image) }

    /// The `top` images with the highest cosine, best first.
    public func find(_ query: Query, top: Int) throws -> [Result] {
        let raw: Tensor, modality: Modality
        switch query {
        case .text(let text): (raw, modality) = (try model.embed(texts: [text]).vectors, .text)
        case .image(let path): (raw, modality) = (try model.embed(images: [Image(contentsOf: path)]), .image)
        case .audio(let path): (raw, modality) = (try model.embed(sounds: [AudioDecoder.read(path)]), .audio)
        }
        let vector = try calibration?(raw, of: modality) ?? raw
        let scores = vectors.matmul(vector.transposed(0, 1)).flattened()  // [G, C] × [C, 1] → [G]
        let best = scores.topK(min(top, gallery.items.count), axis: 0)
        return zip(best.values.scalars(as: Double.self), best.indices.scalars(as: Int.self)).map { score, row in
            Result(item: gallery.items[row], score: score)
        }
    }
}

extension ImageSearch {
    /// A page with the images that were found for a query, most similar first.
    public func page(for query: Query, _ results: [Result]) throws -> HTMLPage {
        let found = try results.map {
            ImageGrid.Result(image: try thumbnail($0), caption: $0.caption, score: $0.score, isRight: false)
        }
        let title: String
        var row = ImageGrid.Query(caption: "Most similar first", results: found)
        switch query {
        case .text(let text): title = text
        case .image(let path):
            title = URL(fileURLWithPath: path).lastPathComponent
            row.caption = "The query image; most similar first"
            row.image = try .init(of: Image(contentsOf: path))
        case .audio(let path): title = URL(fileURLWithPath: path).lastPathComponent
        }
        return HTMLPage(
            title: "Image search: \(title)",
            subtitle:
                "\(results.count) of \(gallery.items.count) images, each with its cosine similarity to the query · "
                + "Concord \(ConcordVersion.current)",
            sections: [.images(ImageGrid([row]))])
    }

    /// A small copy of an image that was found.
    package func thumbnail(_ result: Result) throws -> ImageGrid.Thumbnail {
        try ImageGrid.Thumbnail(of: Image(contentsOf: path(of: result)))
    }
}

extension ImageGrid.Thumbnail {
    /// The longer edge of an image on a page, pixels.
    private static let thumbnailSize = 128

    /// A small copy of an image.
    package init(of image: Image) throws {
        let longest = max(image.width, image.height)
        guard longest > Self.thumbnailSize else {
            self.init(try image.encoded(as: .png))
            return
        }
        let scale = Double(Self.thumbnailSize) / Double(longest)
        let small = image.resized(
            width: max(1, Int(Double(image.width) * scale)), height: max(1, Int(Double(image.height) * scale)))
        self.init(try small.encoded(as: .png))
    }
}

/// The unit vectors of all images of a data set that can be decoded.
public struct ImageGallery {
    /// The images, in the data set's order.
    public let items: [CaptionItem]
    /// `[items, width]`, float32.
    public let vectors: Tensor
    /// Images that could not be read, by their places in the data set.
    public let skipped: [SkippedInput]

    /// Decodes on other threads while the model embeds.
    ///
    /// - Parameters:
    ///   - maximumSkippedFraction: the largest share of images that may be unreadable.
    ///   - group: processes that share the work out, all with the same model and data set; each gets the whole gallery,
    ///     with the same bits as from one process.
    /// - Throws: `.tooManySkippedRows` as soon as it is exceeded; as `EmbeddingModel.imageSide()`; `.processGroup`.
    public init(
        model: EmbeddingModel, dataset: CaptionDataset, maximumSkippedFraction: Double = 0.1, batchSize: Int = 128,
        group: ProcessGroup? = nil, progress: ProgressDisplay? = nil
    ) throws {
        let items = dataset.withImages.items, paths = dataset.imagePaths
        let preprocessing = try model.imageSide().preprocessing
        let all = stride(from: 0, to: items.count, by: batchSize).map { $0..<min($0 + batchSize, items.count) }
        // Whole batches, so that each is the one that a single process embeds.
        let (rank, ranks) = (group?.rank ?? 0, group?.worldSize ?? 1)
        let batches = Array(all[rank * all.count / ranks..<(rank + 1) * all.count / ranks])
        let loader = PrefetchLoader(batches: 0..<batches.count) { index in
            DecodedBatch(batches[index].map { paths[$0] }, preprocessing)
        }
        let total = batches.reduce(0) { $0 + $1.count }
        var part = Part(), done = 0
        for range in batches {
            guard let batch = try loader.next(unless: { InterruptSignal.hasArrived }) else { break }
            part.skipped += batch.failures.map { failure in
                let index = range.lowerBound + failure.row
                return SkippedInput(index: index, path: items[index].name, reason: failure.error.message)
            }
            guard Double(part.skipped.count) <= maximumSkippedFraction * Double(items.count) else {
                throw Self.tooMany(part.skipped, of: items.count)
            }
            if !batch.rows.isEmpty {
                part.blocks.append(try model.embed(pixels: batch.pixels, count: batch.rows.count))
            }
            part.kept += batch.rows.map { range.lowerBound + $0 }
            done += range.count
            progress?.show(done: done, of: total)
        }
        try InterruptSignal.check()
        progress?.finish()
        let (vectors, kept, skipped) = try part.joined(over: group, width: model.encoder.embeddingWidth)
        guard !kept.isEmpty, Double(skipped.count) <= maximumSkippedFraction * Double(items.count) else {
            throw Self.tooMany(skipped, of: items.count)
        }
        if let first = skipped.first {
            progress?.print(
                "skipped \(skipped.count) of \(items.count) images that cannot be read; the first: \(first.reason)"
            )
        }
        self.items = kept.map { items[$0] }
        self.skipped = skipped
        self.vectors = vectors
    }

    /// What one process has embedded.
    private struct Part {
        var blocks: [Tensor] = []
        /// Places in the data set.
        var kept: [Int] = []
        var skipped: [SkippedInput] = []

        /// The parts of all processes, in order.
        func joined(
            over group: ProcessGroup?, width: Int
        ) throws(ConcordError) -> (vectors: Tensor, kept: [Int], skipped: [SkippedInput]) {
            let own = blocks.isEmpty ? Tensor.zeros([0, width]) : Tensor.concatenated(blocks)
            guard let group, group.worldSize > 1 else { return (own, kept, skipped) }
            let notes = JSONValue.array(
                skipped.map { note -> JSONValue in
                    ["index": .integer(note.index), "path": .string(note.path), "reason": .string(note.reason)]
                })
            var all: [SkippedInput] = []
            for text in try group.gatherTexts(notes.text()) {
                for note in try JSONValue(parsing: Array(text.utf8), source: "skipped images").elements ?? [] {
                    all.append(
                        SkippedInput(
                            index: note["index"]?.int ?? 0, path: note["path"]?.string ?? "",
                            reason: note["reason"]?.string ?? ""))
                }
            }
            return (
                try group.gatherRows(own).all, try group.gatherRows(Tensor(kept)).all.scalars(as: Int.self), all
            )
        }
    }

    private static func tooMany(_ skipped: [SkippedInput], of count: Int) -> ConcordError {
        ConcordError(
            .tooManySkippedRows,
            "\(skipped.count) of \(count) images cannot be read, more than allowed; the first: "
                + (skipped.first?.reason ?? "the data set is empty"))
    }
}

/// A batch of images, decoded and preprocessed.
struct DecodedBatch: Sendable {
    /// `[rows, 3, size, size]`.
    private(set) var pixels: [Float] = []
    /// The rows of the images that could be decoded.
    private(set) var rows: [Int] = []
    private(set) var failures: [(row: Int, error: ConcordError)] = []

    /// No images.
    init() {}

    init(_ paths: [String], _ preprocessing: ImagePreprocessing) {
        for (row, path) in paths.enumerated() {
            do throws(ConcordError) {
                pixels += preprocessing(try Image(contentsOf: path))
                rows.append(row)
            } catch { failures.append((row, error)) }
        }
    }
}
