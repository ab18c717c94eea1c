import ConcordTensor

/// A trainable tensor and the name it has in a checkpoint.
public struct Parameter {
    /// The checkpoint key, such as `vision_model.encoder.layers.0.mlp.fc1.weight`.
    public let name: String
    public let tensor: Tensor
}
