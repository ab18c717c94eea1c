import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// The map from unit vectors of the modalities that a row has to its one vector, before that is normalized.
///
/// All rows have the same modalities. Shares, weights and scales are over those alone.
package protocol Combiner {
    /// - Parameter vectors: in order of the modalities, `[rows, width]` each.
    func callAsFunction(_ vectors: [(modality: Modality, vector: Tensor)]) -> Combined
}

/// The vectors of rows, and what share each modality has in them.
package struct Combined {
    /// `[rows, width]`
    package let vector: Tensor
    /// `[rows, modalities]`, in their order, a sum of 1 for each row; nil for a combination without shares.
    package let shares: Tensor?
}

/// Makes the combiner of a configuration.
package func makeCombiner(
    _ scope: ParameterScope, _ kind: FusionConfiguration.Combination, modalities: [Modality], width: Int
) -> any Combiner {
    switch kind {
    case .mean: MeanCombiner()
    case .concat: ConcatCombiner(scope, modalities, width)
    case .gated: GatedCombiner(scope, modalities, width)
    case .attention: AttentionCombiner(scope, modalities, width)
    case .lowRank(let rank): LowRankCombiner(scope, modalities, width, rank: rank)
    }
}

/// `[rows, width]` each → `[rows, count, width]`.
private func sideBySide(_ vectors: [Tensor]) -> Tensor { .concatenated(vectors.map { $0.unsqueezed(1) }, axis: 1) }

/// The mean.
package struct MeanCombiner: Combiner {
    package init() {}

    package func callAsFunction(_ vectors: [(modality: Modality, vector: Tensor)]) -> Combined {
        let share = 1 / Double(vectors.count), first = vectors[0].vector
        return Combined(
            vector: vectors.dropFirst().reduce(first) { $0 + $1.vector } * share,
            shares: .full([first.size(0), vectors.count], share, dtype: first.dtype, device: first.device))
    }
}

/// `bias + all / present · Σ weightₘ xₘ`: a matrix on the vectors side by side, without those that are absent. Keys
/// `image.weight`, `bias`.
struct ConcatCombiner: Combiner {
    private let maps: [Modality: Linear]
    private let bias: Tensor

    init(_ scope: ParameterScope, _ modalities: [Modality], _ width: Int) {
        maps = modalities.keyed {
            Linear(
                scope / $0.name, width, width, hasBias: false,
                weightInitializer: .fanIn(modalities.count * width))
        }
        bias = scope.parameter("bias", [width], .zeros)
    }

    func callAsFunction(_ vectors: [(modality: Modality, vector: Tensor)]) -> Combined {
        let parts = vectors.compactMap { maps[$0.modality]?($0.vector) }
        let sum = parts.dropFirst().reduce(parts[0], +)
        return Combined(vector: bias + sum * (Double(maps.count) / Double(vectors.count)), shares: nil)
    }
}

/// `Σ softmaxₘ(zₘ) ⊙ xₘ` with `zₘ = biasₘ + Σₙ weightₘₙ xₙ`, channel by channel. Of two modalities it is the gated
/// multimodal unit `σ(z₁ − z₂) ⊙ x₁ + (1 − σ(z₁ − z₂)) ⊙ x₂`. Keys `image.bias`, `image.text.weight`.
struct GatedCombiner: Combiner {
    private let biases: [Modality: Tensor]
    /// By the modality whose gate it is, then by the one that it sees.
    private let maps: [Modality: [Modality: Linear]]

    init(_ scope: ParameterScope, _ modalities: [Modality], _ width: Int) {
        biases = modalities.keyed { (scope / $0.name).parameter("bias", [width], .zeros) }
        maps = modalities.keyed { gate in
            modalities.keyed { seen in
                Linear(
                    scope / gate.name / seen.name, width, width, hasBias: false,
                    weightInitializer: .fanIn(modalities.count * width))
            }
        }
    }

    func callAsFunction(_ vectors: [(modality: Modality, vector: Tensor)]) -> Combined {
        let logits = vectors.compactMap { gate in
            biases[gate.modality].map { bias in
                vectors.reduce(bias) { sum, seen in
                    maps[gate.modality]?[seen.modality].map { sum + $0(seen.vector) } ?? sum
                }
            }
        }
        let gates = sideBySide(logits).softmax(axis: 1)  // [rows, modalities, width]
        let vector = (gates * sideBySide(vectors.map(\.vector))).sum(axes: [1])
        return Combined(vector: vector, shares: gates.mean(axes: [2]))
    }
}

/// `Σ softmaxₘ(aₘ) xₘ` with `aₘ = weightₘ · xₘ + biasₘ`. Keys `image.weight`, `image.bias`.
struct AttentionCombiner: Combiner {
    private let maps: [Modality: Linear]

    init(_ scope: ParameterScope, _ modalities: [Modality], _ width: Int) {
        maps = modalities.keyed { Linear(scope / $0.name, width, 1, biasInitializer: .zeros) }
    }

    func callAsFunction(_ vectors: [(modality: Modality, vector: Tensor)]) -> Combined {
        let logits = vectors.compactMap { maps[$0.modality]?($0.vector) }  // [rows, 1]
        let shares = Tensor.concatenated(logits, axis: 1).softmax(axis: 1)  // [rows, modalities]
        let vector = (shares.unsqueezed(2) * sideBySide(vectors.map(\.vector))).sum(axes: [1])
        return Combined(vector: vector, shares: shares)
    }
}

/// `bias + Σᵣ rankᵣ ∏ₘ (factorₘᵣ xₘ + constantₘᵣ)`: the tensor of all products of `[1; xₘ]` by a matrix of that rank. An
/// absent modality is `x = 0`, which leaves its constant. Keys `image.weight` `[rank · width, width]`, `image.bias`,
/// `rank`, `bias`.
struct LowRankCombiner: Combiner {
    private let factors: [Modality: Linear]
    private let weights: Tensor
    private let bias: Tensor
    private let modalities: [Modality]
    private let rank, width: Int

    init(_ scope: ParameterScope, _ modalities: [Modality], _ width: Int, rank: Int) {
        // Constants of 1 begin with what the others say, whatever is absent.
        factors = modalities.keyed { Linear(scope / $0.name, width, rank * width, biasInitializer: .ones) }
        weights = scope.parameter("rank", [rank], .fanIn(rank))
        bias = scope.parameter("bias", [width], .zeros)
        self.modalities = modalities
        self.rank = rank
        self.width = width
    }

    func callAsFunction(_ vectors: [(modality: Modality, vector: Tensor)]) -> Combined {
        let present = Dictionary(uniqueKeysWithValues: vectors.map { ($0.modality, $0.vector) })
        let parts = modalities.compactMap { modality in
            factors[modality].map { factor in
                (present[modality].map { factor($0) } ?? factor.bias ?? weights).reshaped([-1, rank, width])
            }
        }
        let products = parts.dropFirst().reduce(parts[0], *)  // [rows, rank, width]
        return Combined(vector: (products * weights.unsqueezed(1)).sum(axes: [1]) + bias, shares: nil)
    }
}
