/// Known inputs of a model, and what it said to them when it was exported.
///
/// The picture is ``PreparedImage/canary(size:)``, which needs no file.
public struct ArtifactCanary: Sendable, Hashable {
    public var text: String
    /// The unit vector of `text`.
    public var textEmbedding: [Float]
    /// The unit vector of the picture; nil for a model of texts alone.
    public var imageEmbedding: [Float]?
    /// The first tokens of the picture's greedy caption, without the start token; nil for a model that does not caption.
    public var caption: [Int32]?

    public init(text: String, textEmbedding: [Float], imageEmbedding: [Float]?, caption: [Int32]?) {
        self.text = text
        self.textEmbedding = textEmbedding
        self.imageEmbedding = imageEmbedding
        self.caption = caption
    }
}
