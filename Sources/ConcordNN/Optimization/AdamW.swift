import ConcordCore
import ConcordTensor

/// AdamW (Loshchilov & Hutter 2019) on libtorch's fused kernel: one pass over each parameter's memory.
///
/// Parameters of rank 0 and 1 (biases, norms, the class embedding, the logit scale) are not decayed; everything
/// else is. That is open_clip's rule without its substring test on names.
public final class AdamW {
    /// The constants of the update.
    public struct Options: Sendable, Hashable {
        public var beta1 = 0.9
        public var beta2 = 0.98
        public var epsilon = 1e-6
        public var weightDecay = 0.2

        public init(beta1: Double = 0.9, beta2: Double = 0.98, epsilon: Double = 1e-6, weightDecay: Double = 0.2) {
            self.beta1 = beta1
            self.beta2 = beta2
            self.epsilon = epsilon
            self.weightDecay = weightDecay
        }
    }

    /// A parameter with its moments.
    private struct State {
        let parameter: Parameter
        let firstMoment, secondMoment: Tensor
        /// Steps taken, float32 `[]`, as the fused kernel reads it.
        let step: Tensor
    }

    /// Parameters that are updated with the same numbers, in one call of the kernel.
    private struct Group {
        let rateScale, weightDecay: Double
        var states: [State] = []
    }

    public let options: Options
    private let groups: [Group]

    /// - Parameter learningRateScale: what the learning rate is multiplied with for a parameter, decay included.
    public init(
        _ parameters: [Parameter], options: Options = Options(), learningRateScale: (Parameter) -> Double = { _ in 1 }
    ) {
        self.options = options
        var groups = [Group]()
        for parameter in parameters {
            let scale = learningRateScale(parameter), decay = parameter.tensor.rank > 1 ? options.weightDecay : 0
            let state = State(
                parameter: parameter, firstMoment: .zeros(like: parameter.tensor.detached()),
                secondMoment: .zeros(like: parameter.tensor.detached()),
                step: .zeros([], device: parameter.tensor.device))
            if let index = groups.firstIndex(where: { $0.rateScale == scale && $0.weightDecay == decay }) {
                groups[index].states.append(state)
            } else {
                groups.append(Group(rateScale: scale, weightDecay: decay, states: [state]))
            }
        }
        self.groups = groups
    }

    /// Updates every parameter that has a gradient.
    public func step(learningRate: Double) {
        for group in groups { update(group, learningRate: group.rateScale * learningRate) }
    }

    private func update(_ group: Group, learningRate: Double) {
        let active = group.states.compactMap { state in state.parameter.tensor.gradient.map { (state, $0) } }
        guard !active.isEmpty else { return }
        withoutGradient {
            Tensor.fusedAdamW(
                parameters: active.map(\.0.parameter.tensor), gradients: active.map(\.1),
                firstMoments: active.map(\.0.firstMoment), secondMoments: active.map(\.0.secondMoment),
                steps: active.map(\.0.step), learningRate: learningRate, beta1: options.beta1, beta2: options.beta2,
                weightDecay: group.weightDecay, epsilon: options.epsilon)
        }
    }

    /// The state as named tensors, for a checkpoint: `<parameter>.first_moment`, `.second_moment`, `.step`.
    public var namedState: [(String, Tensor)] {
        groups.flatMap(\.states).flatMap { state in
            [
                (state.parameter.name + ".first_moment", state.firstMoment),
                (state.parameter.name + ".second_moment", state.secondMoment),
                (state.parameter.name + ".step", state.step),
            ]
        }
    }

    /// Takes the state back from a checkpoint. Throws `.invalidCheckpoint` when a tensor is missing or misshapen.
    public func restore(_ tensors: [String: Tensor], path: String) throws {
        try withoutGradient {
            for (name, tensor) in namedState {
                try tensor.restore(from: tensors, name: name, path: path)
            }
        }
    }
}

extension Tensor {
    /// Copies the tensor called `name` into this one. Throws `.invalidCheckpoint` when it is missing or misshapen.
    func restore(from tensors: [String: Tensor], name: String, path: String) throws(ConcordError) {
        guard let saved = tensors[name] else {
            throw ConcordError(
                .invalidCheckpoint, "\(path) has no tensor \(name); it was saved by another recipe or version")
        }
        guard saved.shape == shape else {
            throw ConcordError(
                .invalidCheckpoint, "\(path): \(name) has the shape \(saved.shape), the model needs \(shape)")
        }
        copy(from: saved)
    }
}
