import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor
import Foundation

/// CLIP (Radford et al. 2021): two towers whose outputs are compared by cosine.
///
/// Parameter names are those of Hugging Face's `CLIPModel`; a new model is initialised as in OpenAI's code.
public struct CLIP {
    public let configuration: CLIPConfiguration
    public let store: ParameterStore
    public var vision: CLIPVisionTower
    public let text: CLIPTextTower
    private let visualProjection, textProjection: Linear
    /// The logarithm of the factor on cosines, `[]`.
    public let logitScale: Tensor

    /// Makes the towers from a store: drawn at random, or read from the store's checkpoint.
    public init(_ configuration: CLIPConfiguration, store: ParameterStore) {
        self.configuration = configuration
        self.store = store
        let scope = ParameterScope(store), width = configuration.projectionWidth
        func projection(_ name: String, from inputs: Int) -> Linear {
            Linear(
                scope / name, inputs, width, hasBias: false,
                weightInitializer: .normal(standardDeviation: 1 / Double(inputs).squareRoot()))
        }
        logitScale = scope.parameter("logit_scale", [], .constant(configuration.initialLogitScale))
        text = CLIPTextTower(scope / "text_model", configuration.text)
        vision = CLIPVisionTower(scope / "vision_model", configuration.vision)
        visualProjection = projection("visual_projection", from: configuration.vision.width)
        textProjection = projection("text_projection", from: configuration.text.width)
    }

    /// Reads a Hugging Face model folder (`config.json`, `model.safetensors` or shards).
    ///
    /// - Throws: `.invalidConfiguration` or `.invalidCheckpoint`, the latter naming every key that does not fit.
    public static func load(_ folder: String, dtype: DType = .float32, device: Device = .cpu) throws -> CLIP {
        let configuration = try CLIPConfiguration(folder: folder)
        let store = ParameterStore(try CheckpointReader(path: folder), dtype: dtype, device: device)
        let model = CLIP(configuration, store: store)
        try store.finishLoading()
        return model
    }

    /// Unit vectors of normalised pictures: `[batch, 3, size, size] → [batch, projectionWidth]`.
    public func embedImages(_ pixels: Tensor) -> Tensor { visualProjection(vision(pixels)).normalized() }

    /// Unit vectors of token ids: `[batch, tokens] → [batch, projectionWidth]`.
    public func embedTexts(_ ids: Tensor) -> Tensor { textProjection(text(ids)).normalized() }

    /// Keeps the logit scale in `[0, ln 100]`, as OpenAI's training does after every step.
    public func clampLogitScale() {
        withoutGradient { logitScale.formClamp(min: 0, max: log(100)) }
    }
}
