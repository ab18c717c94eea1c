import ConcordCore

/// Retrieval in both directions over a selection of captions.
public struct RetrievalResult: Sendable, Hashable {
    public let textToImage, imageToText: RetrievalMetrics
    /// How many captions were queries, and how many pictures they were searched in.
    public let queries, gallery: Int

    /// The form that `concord evaluate --json` prints.
    public var json: JSONValue {
        [
            "text_to_image": textToImage.json, "image_to_text": imageToText.json, "queries": .integer(queries),
            "gallery": .integer(gallery),
        ]
    }
}
