import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor
import Foundation

/// A model that gives unit vectors.
///
/// A model says what it can do by the protocols that it conforms to: ``TextEncoder``, ``ImageEncoder``,
/// ``AudioEncoder``, ``ImageTextEncoder`` and ``AudioTextEncoder`` for two of them in one space, and ``CaptioningModel``. Training,
/// evaluation, search and export ask for a protocol, never for a type, so a new architecture is its own file, its
/// configuration, and its lines of `ModelFolder.Architecture`.
public protocol EmbeddingEncoder {
    var store: ParameterStore { get }
    var embeddingWidth: Int { get }
    /// The description of the model in a model folder; nil, the default, for a model that folders cannot hold.
    var architecture: ModelFolder.Architecture? { get }
}

extension EmbeddingEncoder {
    public var architecture: ModelFolder.Architecture? { nil }

    /// Reads a model of this type from a model folder.
    ///
    /// - Parameter dtype: of the parameters; nil keeps the checkpoint's.
    /// - Throws: `.invalidConfiguration` for a folder with another kind of model, `.invalidCheckpoint` naming every key
    ///   that does not fit.
    public static func load(_ folder: String, dtype: DType? = .float32, device: Device = .cpu) throws -> Self {
        let folder = try ModelFolder(folder)
        guard folder.architecture.modelType is Self.Type,
            let model = try folder.loadModel(dtype: dtype, device: device) as? Self
        else {
            throw ConcordError(
                .invalidConfiguration,
                "\(folder.path) holds \(folder.architecture.configuration.kindName), which is no \(Self.self); name "
                    + "another folder")
        }
        return model
    }
}

/// A model that turns token ids into unit vectors.
public protocol TextEncoder: EmbeddingEncoder {
    var textConfiguration: TextTowerConfiguration { get }

    /// Unit vectors of token ids: `[batch, tokens] → [batch, embeddingWidth]`.
    ///
    /// - Parameter lengths: the length of each row without its padding, int64 `[batch]`; nil when no row is padded.
    func embedTexts(_ ids: Tensor, lengths: Tensor?) -> Tensor
}

/// A model that turns images into unit vectors.
public protocol ImageEncoder: EmbeddingEncoder {
    var visionConfiguration: VisionTransformerConfiguration { get }
    /// The share of patches left out of each image while training.
    var patchDropout: Double { get set }

    /// Unit vectors of normalized images: `[batch, 3, size, size] → [batch, embeddingWidth]`.
    func embedImages(_ pixels: Tensor) -> Tensor
}

/// A model that turns sounds into unit vectors.
public protocol AudioEncoder: EmbeddingEncoder {
    var audioConfiguration: AudioTowerConfiguration { get }

    /// Unit vectors of spectrograms: `[batch, channels, frames, bins] → [batch, embeddingWidth]`.
    ///
    /// - Parameter lengths: frames of each clip that are no padding, int64 `[batch]`: more than the spectrogram's for a
    ///   clip that is longer than what its spectrogram shows; nil when all are whole and none is padded.
    func embedAudio(_ features: Tensor, lengths: Tensor?) -> Tensor
}

/// A model that turns sounds and texts into unit vectors of one space, where cosines compare them.
public protocol AudioTextEncoder: TextEncoder, AudioEncoder, TrainableModel {
    /// Scaled cosines: `[n, width]` and `[m, width]` → `[n, m]`.
    func logits(sounds: Tensor, texts: Tensor) -> Tensor
}

/// A model that turns images and texts into unit vectors of one space, where cosines compare them.
public protocol ImageTextEncoder: TextEncoder, ImageEncoder, TrainableModel {
    /// The logarithm of the logit scale, `[]`.
    var logitScale: Tensor { get }
    /// The bias added to the scaled cosines, `[]`; nil adds nothing.
    var logitBias: Tensor? { get }
}

extension ImageTextEncoder {
    /// Scaled cosines, with the bias where the model has one: `[n, width]` and `[m, width]` → `[n, m]`.
    public func logits(images: Tensor, texts: Tensor) -> Tensor {
        let scaled = logitScale.exp() * images.matmul(texts.transposed(0, 1))
        return logitBias.map { scaled + $0 } ?? scaled
    }

    /// Keeps the logarithm of the logit scale in `[0, ln 100]`, as OpenAI's training does after every step.
    public func clampLogitScale() {
        withoutGradient { logitScale.formClamp(min: 0, max: log(100)) }
    }

    // As a model that trains.

    public func encoders(for outputs: Set<ModelOutput>) -> [RowEncoder] { towerEncoders(for: outputs) }

    /// An encoder for each tower whose vectors are asked for.
    func towerEncoders(for outputs: Set<ModelOutput>) -> [RowEncoder] {
        [
            RowEncoder(.image) { pixels, _ in embedImages(pixels) },
            RowEncoder(.text) { ids, lengths in embedTexts(ids, lengths: lengths) },
        ].filter { !outputs.isDisjoint(with: $0.outputs) }
    }

    /// The logit scale, and the logit bias of a model that has one.
    public var loggedValues: [(name: String, value: Double)] {
        [("logit_scale", exp(logitScale.item()))] + (logitBias.map { [("logit_bias", $0.item())] } ?? [])
    }

    public func didUpdate() {
        if logitScale.requiresGradient { clampLogitScale() }
    }
}
