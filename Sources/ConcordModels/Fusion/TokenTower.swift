import ConcordCore
import ConcordNN
import ConcordTensor

/// The tokens of one modality, `[rows, tokens, width]`.
package struct TokenSequence {
    package var tokens: Tensor
    /// True where a token is no padding, bool `[rows, tokens]`; nil where none is.
    package var mask: Tensor?

    package init(_ tokens: Tensor, mask: Tensor? = nil) {
        self.tokens = tokens
        self.mask = mask
    }

    /// The mask as attention reads it, `[rows, 1, 1, tokens]`.
    var attentionMask: Tensor? { mask.map { $0.unsqueezed(1).unsqueezed(1) } }

    /// Bool `[rows, tokens]`, from the number of tokens of each row, int64 `[rows]`.
    static func mask(_ lengths: Tensor, tokens: Int) -> Tensor {
        Tensor.arange(Double(tokens), device: lengths.device).less(than: lengths.unsqueezed(1))
    }

    /// This sequence with tokens behind it that all rows have, `[rows, more, width]`.
    func appending(_ more: Tensor) -> TokenSequence {
        TokenSequence(
            .concatenated([tokens, more.to(tokens.dtype)], axis: 1),
            mask: mask.map {
                .concatenated(
                    [$0, .full([more.size(0), more.size(1)], 1, dtype: .bool, device: $0.device)], axis: 1)
            })
    }

    /// Without what is behind the first tokens.
    func prefix(_ count: Int) -> TokenSequence {
        guard tokens.size(1) > count else { return self }
        return TokenSequence(
            tokens.sliced(axis: 1, from: 0, to: count), mask: mask.map { $0.sliced(axis: 1, from: 0, to: count) })
    }

    /// Some of the rows.
    func selecting(_ rows: Tensor) -> TokenSequence {
        TokenSequence(tokens.indexSelected(axis: 0, rows), mask: mask.map { $0.indexSelected(axis: 0, rows) })
    }

    /// The tokens of several modalities, one after another.
    static func joined(_ parts: [TokenSequence]) -> TokenSequence {
        guard parts.count > 1 else { return parts[0] }
        let isMasked = parts.contains { $0.mask != nil }
        let masks = parts.map { part in
            part.mask
                ?? .full(Array(part.tokens.shape.prefix(2)), 1, dtype: .bool, device: part.tokens.device)
        }
        return TokenSequence(
            .concatenated(parts.map(\.tokens), axis: 1), mask: isMasked ? .concatenated(masks, axis: 1) : nil)
    }
}

/// A tower that can be opened between its blocks, so that others look in.
package protocol TokenTower {
    var encoder: Transformer { get }

    /// The tokens below the first block.
    ///
    /// - Parameter lengths: how much of each value is no padding, int64 `[rows]`; nil when all is.
    func embedded(_ values: Tensor, lengths: Tensor?) -> TokenSequence

    /// The vector of each row, from the tokens above the last block: `[rows, width]`.
    func pooled(_ sequence: TokenSequence) -> Tensor
}

extension VisionTransformer: TokenTower {
    package func embedded(_ pixels: Tensor, lengths: Tensor?) -> TokenSequence { TokenSequence(embedded(pixels)) }

    package func pooled(_ sequence: TokenSequence) -> Tensor { pooled(sequence.tokens) }
}

extension TextTransformer: TokenTower {
    package func embedded(_ ids: Tensor, lengths: Tensor?) -> TokenSequence {
        TokenSequence(embedded(ids), mask: lengths.map { TokenSequence.mask($0, tokens: ids.size(1)) })
    }

    package func pooled(_ sequence: TokenSequence) -> Tensor {
        finalNorm(sequence.tokens.selected(axis: 1, at: 0))
    }
}
