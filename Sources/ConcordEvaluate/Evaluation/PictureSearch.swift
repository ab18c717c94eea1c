import ConcordCore
import ConcordData
import ConcordMedia
import ConcordTensor
import Foundation

/// Finds the pictures of a data set that match a query best.
public final class PictureSearch {
    /// What is searched for.
    public enum Query: Sendable {
        case text(String)
        /// The path of a picture.
        case image(String)
    }

    /// A picture that was found.
    public struct Result: Sendable {
        /// The picture with all its captions.
        public let item: CaptionItem
        /// The picture's path within the data set.
        public var image: String { item.image }
        /// Cosine to the query.
        public let score: Double
        /// The picture's first caption.
        public var caption: String { item.captions.first?.text ?? "" }

        /// Score, picture and caption, as `concord search` prints them.
        public var line: String { "\(NumberText.fixed(score, decimals: 4))  \(image)  \(caption)" }

        public var json: JSONValue {
            ["image": .string(image), "score": .number(score), "caption": .string(caption)]
        }
    }

    private let model: EmbeddingModel
    private let dataset: CaptionDataset
    private let gallery: PictureGallery

    /// - Parameter gallery: the data set's pictures, embedded by the model.
    public init(model: EmbeddingModel, dataset: CaptionDataset, gallery: PictureGallery) {
        self.model = model
        self.dataset = dataset
        self.gallery = gallery
    }

    /// Where the picture of a result is.
    func path(of result: Result) -> String { dataset.path(of: result.item) }

    /// The `top` pictures with the highest cosine, best first.
    public func find(_ query: Query, top: Int) throws -> [Result] {
        let vector =
            switch query {
            case .text(let text): try model.embed(texts: [text]).vectors
            case .image(let path): try model.embed(images: [Image(contentsOf: path)])
            }
        let scores = gallery.vectors.matmul(vector.transposed(0, 1)).flattened()  // [G, C] × [C, 1] → [G]
        let best = scores.topK(min(top, gallery.items.count), axis: 0)
        return zip(best.values.scalars(as: Double.self), best.indices.scalars(as: Int.self)).map { score, row in
            Result(item: gallery.items[row], score: score)
        }
    }
}
