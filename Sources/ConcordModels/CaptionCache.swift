import ConcordNN
import ConcordTensor

/// The keys and values of the images and of the tokens so far, so that each new token costs the same.
///
/// Captions of one image share its keys and values.
public final class CaptionCache {
    let text, decoder: [KeyValueCache]
    private(set) var contexts: [CrossAttention.Context]
    private(set) var contextRows: BeamGrouping
    /// The most tokens of a caption, start and end token included.
    public let capacity: Int
    /// The image of each row, as its place in `contexts`.
    private var images: [Int]

    init(
        text: [KeyValueCache], decoder: [KeyValueCache], contexts: [CrossAttention.Context], rowCount: Int,
        capacity: Int
    ) {
        self.text = text
        self.decoder = decoder
        self.contexts = contexts
        self.capacity = capacity
        images = Array(0..<rowCount)
        contextRows = BeamGrouping(images, contextCount: rowCount, device: contexts.first?.key.device ?? .cpu)
    }

    /// Keys and values of each causal layer, those of the text tower before those of the decoder,
    /// `[rows, heads, count, width]` each; empty before there is a token.
    public var layers: [(key: Tensor, value: Tensor)] { (text + decoder).compactMap(\.contents) }

    /// The images' keys and values in each layer of the decoder, `[images, heads, imageTokens, width]` each.
    public var imageLayers: [(key: Tensor, value: Tensor)] { contexts.map { ($0.key, $0.value) } }

    /// How many tokens each caption has.
    public var count: Int { text.first?.count ?? 0 }

    /// How many captions there are.
    public var rowCount: Int { images.count }

    /// Takes the rows of the batch at `rows`, in that order: the survivors of a beam search, unfinished captions, or each
    /// image several times.
    public func select(rows: [Int]) {
        guard let key = contexts.first?.key else { return }
        let device = key.device, index = Tensor(rows.map(Int64.init), device: device)
        for cache in text + decoder { cache.select(rows: index) }
        images = rows.map { images[$0] }
        let used = Set(images).sorted()
        // Copied only when half of the images are done, so that all copies together are no more than the first half.
        var contextCount = contextRows.contextCount
        if used.count <= contextCount / 2 {
            let kept = Tensor(used.map(Int64.init), device: device)
            contexts = withoutGradient { contexts.map { $0.selecting(rows: kept) } }
            let places = Dictionary(uniqueKeysWithValues: used.enumerated().map { ($0.element, $0.offset) })
            images = images.compactMap { places[$0] }
            contextCount = used.count
        }
        contextRows = BeamGrouping(images, contextCount: contextCount, device: device)
    }
}
