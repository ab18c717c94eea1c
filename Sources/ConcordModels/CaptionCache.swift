import ConcordNN
import ConcordTensor

/// What ``CoCa`` keeps of the pictures and of the tokens so far, so that a new token costs the same wherever it stands.
public final class CaptionCache {
    let text, decoder: [KeyValueCache]
    private(set) var contexts: [CrossAttention.Context]
    /// The most tokens of a caption, start and end token included.
    public let capacity: Int

    init(text: [KeyValueCache], decoder: [KeyValueCache], contexts: [CrossAttention.Context], capacity: Int) {
        self.text = text
        self.decoder = decoder
        self.contexts = contexts
        self.capacity = capacity
    }

    /// How many tokens each caption has.
    public var count: Int { text.first?.count ?? 0 }

    /// Takes the rows of the batch at `rows`, int64 `[new batch]`: the survivors of a beam search, unfinished captions,
    /// or, while there are no tokens yet, each picture several times.
    public func select(rows: Tensor) {
        for cache in text + decoder { cache.select(rows: rows) }
        contexts = withoutGradient { contexts.map { $0.selecting(rows: rows) } }
    }
}
