import ConcordNN
import ConcordTensor

/// The weights and pictures that `scripts/golden/make_models.py` gives the peers, made again from the same formula.
enum FormulaWeights {
    /// Uniform numbers in [-1, 1): SplitMix64 over the FNV-1a hash of the name, plus the index.
    static func formula(_ name: String, count: Int) -> [Float] {
        let start = name.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return (0..<count).map { index in
            var z = start &+ UInt64(index + 1) &* 0x9E37_79B9_7F4A_7C15
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            z ^= z >> 31
            return Float(Double(z >> 40) / Double(1 << 23) - 1)
        }
    }

    /// Overwrites all parameters; the logit scale keeps its standard start.
    static func fill(_ store: ParameterStore) {
        withoutGradient {
            for parameter in store.parameters where parameter.name != "logit_scale" {
                let shape = parameter.tensor.shape
                let isNorm = parameter.name.contains("norm") || parameter.name.contains("layrnorm")
                let offset: Float = isNorm && parameter.name.hasSuffix("weight") ? 1 : 0
                let values = formula(parameter.name, count: shape.reduce(1, *)).map { $0 * 0.125 + offset }
                parameter.tensor.copy(from: Tensor(values, shape: shape))
            }
        }
    }
}
