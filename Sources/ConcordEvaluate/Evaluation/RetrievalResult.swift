import ConcordCore

/// Retrieval in both directions over a selection of captions.
public struct RetrievalResult: Sendable, Hashable {
    public let textToImage, imageToText: RetrievalMetrics
    /// How many captions were queries, and how many pictures they were searched in.
    public let queries, gallery: Int
    /// How many pictures were queries in the other direction.
    public let pictures: Int

    init(
        textToImage: RetrievalMetrics, imageToText: RetrievalMetrics, queries: Int, pictures: Int, gallery: Int
    ) {
        self.textToImage = textToImage
        self.imageToText = imageToText
        self.queries = queries
        self.pictures = pictures
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
            "\(queries) queries, \(gallery) pictures",
            line(["", "R@1 %", "R@5 %", "R@10 %", "median rank"]),
            line(["text → image"] + textToImage.cells),
            line(["image → text"] + imageToText.cells),
        ].joined(separator: "\n")
    }
}
