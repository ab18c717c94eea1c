import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// The layers in which modalities see each other: tokens in, as many tokens out.
///
/// All rows have the same modalities, in order of their names; what a row lacks is not there at all.
package protocol Exchange {
    func callAsFunction(_ sequences: [(modality: Modality, sequence: TokenSequence)]) -> [TokenSequence]
}

/// No exchange: the layers of each modality by itself.
struct NoExchange: Exchange {
    let stacks: ModalityStacks

    func callAsFunction(_ sequences: [(modality: Modality, sequence: TokenSequence)]) -> [TokenSequence] {
        sequences.map { modality, sequence in stacks.all(sequence, of: modality) }
    }
}

/// One stack of blocks for the tokens of all, each marked by its modality. Keys `layers.N`, `types.image`.
package struct FullExchange: Exchange {
    package let encoder: Transformer
    /// `[width]` each.
    package let types: [Modality: Tensor]

    init(_ scope: ParameterScope, _ configuration: TransformerConfiguration, modalities: [Modality]) {
        encoder = Transformer(scope, configuration)
        types = modalities.keyed {
            (scope / "types").parameter($0.name, [configuration.width], .normal(standardDeviation: 0.02))
        }
    }

    package func callAsFunction(_ sequences: [(modality: Modality, sequence: TokenSequence)]) -> [TokenSequence] {
        let marked = sequences.map { modality, sequence in
            TokenSequence(types[modality].map { sequence.tokens + $0 } ?? sequence.tokens, mask: sequence.mask)
        }
        let together = TokenSequence.joined(marked)
        let tokens = encoder(together.tokens, mask: together.attentionMask)
        var start = 0
        return marked.map { part in
            defer { start += part.tokens.size(1) }
            return TokenSequence(
                tokens.sliced(axis: 1, from: start, to: start + part.tokens.size(1)), mask: part.mask)
        }
    }
}

/// A stack for each modality, and tokens that all stacks have behind their own; after a layer they are the mean of what
/// the stacks made of them. Key `tokens`.
struct BottleneckExchange: Exchange {
    private let tokens: Tensor
    private let stacks: ModalityStacks

    init(
        _ scope: ParameterScope, _ configuration: TransformerConfiguration, tokens: Int,
        stacks: ModalityStacks
    ) {
        self.tokens = scope.parameter("tokens", [tokens, configuration.width], .normal(standardDeviation: 0.02))
        self.stacks = stacks
    }

    func callAsFunction(_ sequences: [(modality: Modality, sequence: TokenSequence)]) -> [TokenSequence] {
        let rows = sequences[0].sequence.tokens.size(0)
        var shared = tokens.unsqueezed(0).expanded(to: [rows] + tokens.shape)
        var current = sequences.map(\.sequence)
        for layer in stacks.layers {
            let next = zip(sequences, current).map { entry, sequence in
                stacks(sequence.appending(shared), layer, of: entry.modality)
            }
            let counts = current.map { $0.tokens.size(1) }
            let updates = zip(next, counts).map { $0.tokens.sliced(axis: 1, from: $1) }
            shared = updates.dropFirst().reduce(updates[0], +) / Double(updates.count)
            current = zip(next, counts).map { $0.prefix($1) }
        }
        return current
    }
}

/// A stack for each modality, whose tokens look at those of all others before each block. Keys `image.0…`.
struct CrossExchange: Exchange {
    private let readings: [Modality: [TokenReading]]
    private let stacks: ModalityStacks

    init(
        _ scope: ParameterScope, _ configuration: TransformerConfiguration, modalities: [Modality],
        stacks: ModalityStacks
    ) {
        readings = modalities.keyed { modality in
            (0..<configuration.layers).map { TokenReading(scope / modality.name / $0, configuration) }
        }
        self.stacks = stacks
    }

    func callAsFunction(_ sequences: [(modality: Modality, sequence: TokenSequence)]) -> [TokenSequence] {
        var current = sequences.map(\.sequence)
        for layer in stacks.layers {
            let before = current
            current = sequences.indices.map { index in
                let modality = sequences[index].modality, others = before.indices.filter { $0 != index }
                var sequence = before[index]
                if !others.isEmpty, let reading = readings[modality]?[layer - stacks.layers.lowerBound] {
                    sequence.tokens = reading(sequence.tokens, of: .joined(others.map { before[$0] }))
                }
                return stacks(sequence, layer, of: modality)
            }
        }
        return current
    }
}

/// A stack for each modality, and latents: in each layer they read the tokens of all, think, and stand behind the tokens
/// of each stack. Keys `latents`, `readings.0…`, `layers.0…`.
struct LatentExchange: Exchange {
    private let latents: Tensor
    private let readings: [TokenReading]
    private let thoughts: [TransformerBlock]
    private let stacks: ModalityStacks

    init(
        _ scope: ParameterScope, _ configuration: TransformerConfiguration, count: Int,
        stacks: ModalityStacks
    ) {
        latents = scope.parameter("latents", [count, configuration.width], .normal(standardDeviation: 0.02))
        readings = (0..<configuration.layers).map { TokenReading(scope / "readings" / $0, configuration) }
        thoughts = (0..<configuration.layers).map { TransformerBlock(scope / "layers" / $0, configuration) }
        self.stacks = stacks
    }

    func callAsFunction(_ sequences: [(modality: Modality, sequence: TokenSequence)]) -> [TokenSequence] {
        let rows = sequences[0].sequence.tokens.size(0)
        var latents = latents.unsqueezed(0).expanded(to: [rows] + latents.shape)
        var current = sequences.map(\.sequence)
        for (layer, (reading, thought)) in zip(stacks.layers, zip(readings, thoughts)) {
            latents = thought(reading(latents, of: .joined(current)))
            current = zip(sequences, current).map { entry, sequence in
                stacks(sequence.appending(latents), layer, of: entry.modality).prefix(sequence.tokens.size(1))
            }
        }
        return current
    }
}

/// A residual attention of tokens to others: `x + attention(norm(x), norm(others))`.
private struct TokenReading {
    private let norm, contextNorm: LayerNorm
    private let attention: CrossAttention

    init(_ scope: ParameterScope, _ configuration: TransformerConfiguration) {
        let width = configuration.width
        norm = LayerNorm(scope / "layer_norm", width, epsilon: configuration.layerNormEpsilon)
        contextNorm = LayerNorm(scope / "context_norm", width, epsilon: configuration.layerNormEpsilon)
        attention = CrossAttention(
            scope / "cross_attn", width: width, heads: configuration.heads,
            input: .xavierUniform(fanIn: width, fanOut: 3 * width))
    }

    func callAsFunction(_ x: Tensor, of context: TokenSequence) -> Tensor {
        x + attention(norm(x), attention.context(of: contextNorm(context.tokens)), mask: context.attentionMask)
    }
}

/// The layers of each modality's tower in which others may look.
struct ModalityStacks {
    let encoders: [Modality: Transformer]
    let layers: Range<Int>

    /// One layer.
    func callAsFunction(_ sequence: TokenSequence, _ layer: Int, of modality: Modality) -> TokenSequence {
        run(sequence, layer..<layer + 1, of: modality)
    }

    func all(_ sequence: TokenSequence, of modality: Modality) -> TokenSequence { run(sequence, layers, of: modality) }

    private func run(_ sequence: TokenSequence, _ layers: Range<Int>, of modality: Modality) -> TokenSequence {
        guard let encoder = encoders[modality] else { return sequence }
        return sequence.through(encoder, layers: layers)
    }
}

extension TokenSequence {
    /// The tokens after some blocks.
    func through(_ encoder: Transformer, layers: Range<Int>) -> TokenSequence {
        TokenSequence(encoder(tokens, mask: attentionMask, layers: layers), mask: mask)
    }
}

extension Array<Modality> {
    /// A value for each.
    func keyed<Value>(_ value: (Modality) -> Value) -> [Modality: Value] {
        Dictionary(uniqueKeysWithValues: map { ($0, value($0)) })
    }
}
