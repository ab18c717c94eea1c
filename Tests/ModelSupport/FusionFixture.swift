import ConcordCheckpoint
import ConcordCore
import ConcordModels
import ConcordNN
import ConcordTensor

/// A tiny fused model in float64, and rows of pictures, texts and sounds with garbage behind their ends.
public enum FusionFixture {
    public static let modalities: [Modality] = [.audio, .image, .text]
    public static let layers = 3, width = 12, tokens = 7, frames = 21, bins = 8

    public static let exchanges: [FusionConfiguration.Exchange] = [
        .full, .bottleneck(tokens: 2), .cross, .latents(count: 3),
    ]
    public static let combinations: [FusionConfiguration.Combination] = [
        .mean, .concat, .gated, .attention, .lowRank(rank: 3),
    ]
    public static let patterns: [[Modality]] = [
        [.audio, .image, .text], [.image], [.text], [.audio], [.image, .text], [.audio, .text], [.audio, .image],
    ]

    public static func configuration(
        at: Int = 1, _ exchange: FusionConfiguration.Exchange = .full,
        _ combine: FusionConfiguration.Combination = .mean, _ missing: FusionConfiguration.Missing = .skip,
        dropout: [Modality: Double] = [:], classes: Int = 0
    ) -> FusedModelConfiguration {
        FusedModelConfiguration(
            fusion: FusionConfiguration(
                modalities: modalities, at: at, exchange: exchange, combine: combine, missing: missing,
                dropout: dropout),
            inputs: [
                .image: .image(size: 8, patchSize: 4), .text: .text(vocabularySize: 30, contextLength: 12),
                .audio: .speech(bins: bins, channels: 4, convolutions: 2, positions: 16),
            ], width: 16, intermediateWidth: 32, layers: layers, heads: 2, projectionWidth: width, classes: classes)
    }

    /// A model none of whose parameters is as it starts, so that zeros and ones hide nothing.
    public static func model(_ configuration: FusedModelConfiguration, dtype: DType = .float64) throws -> FusedModel {
        let model = try FusedModel(configuration, store: ParameterStore(seed: 3, dtype: dtype))
        let generator = Generator(seed: 17)
        withoutGradient {
            for parameter in model.store.trainable {
                parameter.tensor.formAdd(
                    Tensor.normal(parameter.tensor.shape, standardDeviation: 0.1, generator: generator).to(dtype))
            }
        }
        return model
    }

    /// The values of some of 7 rows, padded by more tokens and frames of garbage.
    public static func values(
        _ modality: Modality, _ rows: [Int], padding: Int = 0, dtype: DType = .float64
    ) -> (values: Tensor, lengths: Tensor?) {
        let wanted = Tensor(rows.map(Int64.init)), garbage = Generator(seed: 99)
        switch modality {
        case .image:
            let pixels = Tensor.normal([7, 3, 8, 8], generator: Generator(seed: 1)).to(dtype)
            return (pixels.indexSelected(axis: 0, wanted), nil)
        case .text:
            var random = RandomSource(seed: 5, stream: 2)
            let ids = (0..<7 * tokens).map { _ in Int64(random.index(below: 30)) }
            let lengths: [Int64] = [3, 7, 1, 5, 6, 2, 7]
            let padded = Tensor.concatenated(
                [
                    Tensor(ids, shape: [7, tokens]).indexSelected(axis: 0, wanted),
                    Tensor.full([rows.count, padding], 29, dtype: .int64),
                ], axis: 1)
            return (padded, Tensor(lengths).indexSelected(axis: 0, wanted))
        default:
            let mels = Tensor.normal([7, 1, frames, bins], generator: Generator(seed: 2)).to(dtype)
            let lengths: [Int64] = [21, 1, 20, 9, 6, 13, 17]
            let padded = Tensor.concatenated(
                [
                    mels.indexSelected(axis: 0, wanted),
                    Tensor.normal([rows.count, 1, padding, bins], generator: garbage).to(dtype),
                ], axis: 2)
            return (padded, Tensor(lengths).indexSelected(axis: 0, wanted))
        }
    }

    /// Rows of the 7, each with the modalities of its pattern.
    public static func batch(
        _ rows: [Int], patterns: [[Modality]] = patterns, padding: Int = 0, dtype: DType = .float64
    ) throws -> Batch {
        var parts = [Modality: ModalityBatch]()
        for modality in modalities {
            let places = rows.indices.filter { patterns[rows[$0]].contains(modality) }
            guard !places.isEmpty else { continue }
            let (values, lengths) = values(modality, places.map { rows[$0] }, padding: padding, dtype: dtype)
            parts[modality] = ModalityBatch(values, lengths: lengths, rows: places)
        }
        return try Batch(parts, count: rows.count, sampleIDs: rows)
    }
}
