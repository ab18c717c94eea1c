import ConcordTensor

/// A trainable tensor and the name it has in a checkpoint.
public struct Parameter {
    /// The checkpoint key, such as `vision_model.encoder.layers.0.mlp.fc1.weight`.
    public let name: String
    public let tensor: Tensor
    public let origin: Origin

    /// Where the first values come from.
    public enum Origin: Sendable, Hashable {
        /// Read from a checkpoint.
        case checkpoint
        /// Drawn at random, or a constant.
        case initializer
        /// Part of a ``LowRankAdapter``, which a saved model does not have.
        case adapter
    }
}
