import Concord

/// Two towers of a few layers: pictures of 8 × 8 pixels on one side, the numbers of colours on the other.
struct TwoTowers {
    let patch: Linear
    let mixer: MultilayerPerceptron
    let names: Embedding
    let logitScale: Tensor

    /// Whether the parameters are drawn or read from a checkpoint is the store's business.
    init(_ scope: ParameterScope) {
        patch = Linear(scope / "picture" / "patch", 3 * 8 * 8, 64)
        mixer = MultilayerPerceptron(scope / "picture" / "mixer", width: 64, intermediateWidth: 128, activation: .gelu)
        names = Embedding(scope / "names", ColourBatch.colours, 64, initializer: .normal(standardDeviation: 0.1))
        logitScale = scope.parameter("logit_scale", [], .constant(2.6593))
    }

    /// `[pictures, 192]` → unit vectors `[pictures, 64]`.
    func embed(pictures: Tensor) -> Tensor {
        let hidden = patch(pictures)
        return (hidden + mixer(hidden)).normalized()
    }

    /// `[colours]` → unit vectors `[colours, 64]`.
    func embed(colours: Tensor) -> Tensor { names(colours).normalized() }
}
