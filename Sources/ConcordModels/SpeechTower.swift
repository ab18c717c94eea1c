import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// A small tower for speech: log-mel spectrograms `[batch, 1, frames, bins]` → `[batch, width]`.
///
/// Convolutions halve frames and bins, then a transformer reads the frames (as in the Speech-Transformer, Dong et al.
/// 2018), and their mean is the sound's vector. Frames of padding are silent to the convolutions, hidden from attention,
/// and not in the mean. Positions are fixed sines and cosines.
public struct SpeechTower: TokenTower {
    public let configuration: SpeechTowerConfiguration
    private let convolutions: [Convolution2D]
    private let projection: Linear
    private let positions: Embedding
    package let encoder: Transformer
    private let finalNorm: LayerNorm

    public init(_ scope: ParameterScope, _ configuration: SpeechTowerConfiguration) {
        let channels = configuration.channels, width = configuration.width
        convolutions = (0..<configuration.convolutions).map { number in
            Convolution2D(
                scope / "convolutions" / number, number == 0 ? 1 : channels, channels, kernelSize: 3, stride: 2,
                padding: 1)
        }
        projection = Linear(scope / "projection", channels * configuration.reducedBins, width)
        let sines = Initializer.values { [count = configuration.positions] in
            SinusoidalPositions.line(count: count, width: width)
        }
        positions = Embedding(
            scope / "position_embedding", configuration.positions, width, initializer: sines, isTrained: false)
        encoder = Transformer(
            scope / "encoder",
            TransformerConfiguration(
                width: width, intermediateWidth: configuration.intermediateWidth, layers: configuration.layers,
                heads: configuration.heads, activation: configuration.activation,
                layerNormEpsilon: configuration.layerNormEpsilon, isCausal: false, initialization: .torchDefaults))
        finalNorm = LayerNorm(scope / "final_layer_norm", width, epsilon: configuration.layerNormEpsilon)
        self.configuration = configuration
    }

    /// - Parameters:
    ///   - features: log-mels `[batch, 1, frames, bins]`, of at most as many frames as the configuration has.
    ///   - lengths: frames that are no padding, int64 `[batch]`; nil when none is.
    public func callAsFunction(_ features: Tensor, lengths: Tensor? = nil) -> Tensor {
        let sequence = embedded(features, lengths: lengths), mask = sequence.attentionMask
        return pooled(TokenSequence(encoder(sequence.tokens, mask: mask), mask: sequence.mask))
    }

    package func embedded(_ features: Tensor, lengths: Tensor?) -> TokenSequence {
        var x = features, mask = lengths.map { TokenSequence.mask($0, tokens: features.size(2)) }  // [B, frames]
        for convolution in convolutions {
            if let mask {
                // What pads a sound is not there, whatever it holds: the convolutions see zeros, as beyond its end.
                x = x.maskedFilled(mask.logicalNot().unsqueezed(1).unsqueezed(3), 0)
            }
            x = convolution(x).gelu()  // [B, C, ⌈frames / 2⌉, ⌈bins / 2⌉]
            // The middle of each window.
            mask = mask.map { $0.sliced(axis: 1, from: 0, step: 2) }
        }
        let count = x.size(2)
        let tokens = projection(x.transposed(1, 2).flattened(from: 2))  // [B, C, T, bins] → [B, T, C · bins]
        return TokenSequence(tokens + positions.weight.sliced(axis: 0, from: 0, to: count), mask: mask)
    }

    package func pooled(_ sequence: TokenSequence) -> Tensor {
        let normed = finalNorm(sequence.tokens)
        guard let mask = sequence.mask else { return normed.mean(axes: [1]) }
        let weights = mask.to(normed.dtype)  // [B, T]
        return (normed * weights.unsqueezed(2)).sum(axes: [1]) / weights.sum(axes: [1], keepingAxes: true)
    }
}
