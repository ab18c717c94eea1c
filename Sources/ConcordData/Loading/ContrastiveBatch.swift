/// Pictures with captions, ready for a contrastive model.
///
/// `Tokens` is what the tokenizer makes of a list of texts.
public struct ContrastiveBatch<Tokens: Sendable>: Sendable {
    /// Normalised pixels `[batch, 3, size, size]`.
    public let pixels: [Float]
    /// Side of the pictures in pixels.
    public let size: Int
    /// The tokenized captions, slot by slot; row `i` of each belongs to picture `i`.
    public let tokens: [Tokens]
    /// The texts behind `tokens`: `[slot][picture]`.
    public let captions: [[String]]
    /// Which items of the dataset these are, after replacement of pictures that cannot be decoded.
    public let itemIndices: [Int]

    /// Number of pictures.
    public var count: Int { itemIndices.count }
}
