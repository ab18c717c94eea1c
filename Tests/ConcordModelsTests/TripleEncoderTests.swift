import ConcordCheckpoint
import ConcordCore
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Testing

@Suite struct TripleEncoderTests {
    private static let configuration = TripleEncoderConfiguration(
        towers: DualEncoderConfiguration(
            text: .transformer(
                .init(
                    vocabularySize: 40, width: 16, intermediateWidth: 32, layers: 1, heads: 2, contextLength: 8,
                    activation: .gelu, padToken: 0, startToken: 1, endToken: 39)),
            vision: .init(
                width: 16, intermediateWidth: 32, layers: 1, heads: 2, imageSize: 16, patchSize: 8, activation: .gelu),
            projectionWidth: 12),
        audio: .init(
            bins: 8, channels: 4, convolutions: 2, positions: 16, width: 16, intermediateWidth: 32, layers: 1, heads: 2)
    )

    private func model() -> TripleEncoder {
        let model = TripleEncoder(Self.configuration, store: ParameterStore(seed: 3, dtype: .float64))
        model.store.isTraining = false
        return model
    }

    /// `[3, 1, frames, 8]`; what is beyond a sound's length is noise.
    private func sounds(_ frames: Int) -> Tensor {
        Tensor.normal([3, 1, frames, 8], generator: Generator(seed: 7), dtype: .float64)
    }

    @Test func vectorsAreOfLengthOneAndPaddingIsNotHeard() {
        let model = model(), lengths = [20, 13, 9]
        let values = sounds(20)
        let together = withoutGradient { model.embedAudio(values, lengths: Tensor(lengths)) }
        #expect(together.shape == [3, 12])
        for (row, length) in lengths.enumerated() {
            let alone = withoutGradient {
                model.embedAudio(values.sliced(axis: 0, from: row, to: row + 1).sliced(axis: 2, from: 0, to: length))
            }
            let difference =
                (alone - together.sliced(axis: 0, from: row, to: row + 1)).abs().scalars(as: Double.self).max() ?? 1
            #expect(difference < 1e-12, "\(row): \(difference)")
        }
        let norms = (together * together).sum(axes: [1]).scalars(as: Double.self)
        #expect(norms.allSatisfy { abs($0 - 1) < 1e-12 })
    }

    @Test func onlyTheTowersThatAreAskedForRun() {
        let model = model()
        let all = model.encoders(for: [.embedding(.image), .embedding(.text), .embedding(.audio)])
        #expect(all.map(\.modalities) == [[.image], [.text], [.audio]])
        #expect(model.encoders(for: [.embedding(.audio)]).map(\.modalities) == [[.audio]])
        #expect(model.encoders(for: [.embedding(.image)]).map(\.modalities) == [[.image]])
    }

    @Test func theConfigurationReadsBack() throws {
        let configuration = Self.configuration
        let json = configuration.configurationJSON()
        #expect(json["model_type"]?.string == "concord-triple-encoder")
        #expect(try TripleEncoderConfiguration(own: json, path: "config.json") == configuration)
        let members = (json.members ?? []).filter { $0.name != "audio_config" }
        let error = #expect(throws: ConcordError.self) {
            try TripleEncoderConfiguration(own: .object(members), path: "config.json")
        }
        #expect(error?.code == .invalidConfiguration)
    }
}
