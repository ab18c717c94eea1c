import ConcordCore
import ConcordTensor
import Foundation

/// AdamW (Loshchilov & Hutter 2019) on libtorch's fused kernel: one pass over each parameter's memory.
///
/// Parameters of rank 0 and 1 (biases, norms, the class embedding, the logit scale) are not decayed; everything
/// else is. That is open_clip's rule without its substring test on names.
public final class AdamW {
    /// Hyperparameters of the update.
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
    struct State {
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

    private let options: Options
    private let groups: [Group]
    /// The states of this process's parameters by the index of the parameter: of all, unless they are shared out.
    let states: [Int: State]
    let parameters: [Parameter]
    /// Nil where every process keeps all moments.
    let shards: OptimizerShards?

    /// - Parameters:
    ///   - group: processes with the same parameters that share out the moments: each keeps and updates its own part (ZeRO
    ///     stage 1, Rajbhandari et al. 2020), by whole parameters and about the same number of bytes. The result has the
    ///     same bits. Nil keeps all moments here.
    ///   - learningRateScale: multiplies the learning rate of a parameter, decay included.
    public init(
        _ parameters: [Parameter], options: Options = Options(), sharedBy group: ProcessGroup? = nil,
        learningRateScale: (Parameter) -> Double = { _ in 1 }
    ) {
        self.options = options
        self.parameters = parameters
        shards = group.flatMap { $0.worldSize > 1 ? OptimizerShards(parameters, $0) : nil }
        var groups = [Group](), states = [Int: State]()
        for (index, parameter) in parameters.enumerated() where shards?.isOwn(index) ?? true {
            let scale = learningRateScale(parameter), decay = parameter.tensor.rank > 1 ? options.weightDecay : 0
            let state = State(
                parameter: parameter, firstMoment: .zeros(like: parameter.tensor.detached()),
                secondMoment: .zeros(like: parameter.tensor.detached()),
                step: .zeros([], device: parameter.tensor.device))
            states[index] = state
            if let index = groups.firstIndex(where: { $0.rateScale == scale && $0.weightDecay == decay }) {
                groups[index].states.append(state)
            } else {
                groups.append(Group(rateScale: scale, weightDecay: decay, states: [state]))
            }
        }
        self.groups = groups
        self.states = states
    }

    /// Updates every parameter that has a gradient; where processes share out the moments, the parameters of this one.
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

    /// The state that this process keeps, as named tensors: `<parameter>.first_moment`, `.second_moment`, `.step`.
    public var namedState: [(String, Tensor)] {
        groups.flatMap(\.states).flatMap { state in state.tensors.map { (state.parameter.name + $0.suffix, $0.tensor) }
        }
    }

    /// Restores the state that this process keeps from the state of all.
    ///
    /// - Throws: `.invalidCheckpoint` when a tensor is missing or has the wrong shape.
    public func restore(_ tensors: [String: Tensor], path: String) throws {
        try withoutGradient {
            for (name, tensor) in namedState {
                try tensor.restore(from: tensors, name: name, path: path)
            }
        }
    }
}

extension AdamW.State {
    static let suffixes = [".first_moment", ".second_moment", ".step"]

    var tensors: [(suffix: String, tensor: Tensor)] {
        Array(zip(Self.suffixes, [firstMoment, secondMoment, step]))
    }
}

extension Tensor {
    /// Copies the tensor called `name` into this one.
    ///
    /// - Throws: `.invalidCheckpoint` when it is missing or has the wrong shape.
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

/// The learning rate as a function of the step.
public struct LearningRateSchedule: Sendable, Hashable {
    /// The shape after the warm-up.
    public enum Shape: String, Sendable, CaseIterable {
        /// Half a cosine down to zero at the last step.
        case cosine
        case constant
    }

    package let shape: Shape
    package let peak: Double
    /// Steps over which the rate rises linearly from `peak / warmupSteps` to `peak`.
    package let warmupSteps: Int
    package let totalSteps: Int

    public init(_ shape: Shape, peak: Double, warmupSteps: Int, totalSteps: Int) {
        self.shape = shape
        self.peak = peak
        self.warmupSteps = warmupSteps
        self.totalSteps = totalSteps
    }

    /// The rate of the update after `step` updates (from 0), as in open_clip's `cosine_lr` and `const_lr`.
    public func callAsFunction(_ step: Int) -> Double {
        if step < warmupSteps { return peak * Double(step + 1) / Double(warmupSteps) }
        guard shape == .cosine else { return peak }
        let progress = Double(step - warmupSteps) / Double(max(1, totalSteps - warmupSteps))
        return 0.5 * (1 + cos(.pi * min(1, progress))) * peak
    }
}

/// The norm of all gradients together, and a limit on it.
public enum GradientClipping {
    /// The Euclidean norm over all gradients. When it is above `maximum`, the gradients are scaled down to it in place.
    ///
    /// Follows torch's `clip_grad_norm_`, with its 1e-6 in the denominator.
    public static func clip(_ parameters: [Parameter], maximum: Double?) -> Double {
        withoutGradient {
            let gradients = parameters.compactMap(\.tensor.gradient)
            guard !gradients.isEmpty else { return 0 }
            let norm = Tensor.stacked(Tensor.foreachNorm(gradients)).norm().item()
            if let maximum, norm > maximum { Tensor.foreachMultiply(gradients, by: maximum / (norm + 1e-6)) }
            return norm
        }
    }
}

/// A moving average of the parameters, which usually evaluates better than the parameters themselves.
///
/// After step `t` the decay is `min(decay, (1 + t) / (10 + t))`, so that the random initialization is soon forgotten.
public final class ExponentialMovingAverage {
    private let decay: Double
    private let parameters: [Parameter]
    private let averages: [Tensor]

    public init(_ parameters: [Parameter], decay: Double) {
        self.decay = decay
        self.parameters = parameters
        averages = withoutGradient { parameters.map { $0.tensor.detached().cloned() } }
    }

    /// Moves the averages toward the parameters after update number `step` (from 0).
    public func update(step: Int) {
        let decay = min(decay, Double(1 + step) / Double(10 + step))
        withoutGradient {
            Tensor.foreachLerp(averages, to: parameters.map { $0.tensor.detached() }, weight: 1 - decay)
        }
    }

    /// The averages under the parameters' names.
    public var namedState: [(String, Tensor)] { zip(parameters, averages).map { ($0.name, $1) } }

    /// Restores the averages from a checkpoint.
    ///
    /// - Throws: `.invalidCheckpoint`.
    public func restore(_ tensors: [String: Tensor], path: String) throws {
        try withoutGradient {
            for (name, tensor) in namedState { try tensor.restore(from: tensors, name: name, path: path) }
        }
    }

    /// Runs `body` with the averages in place of the parameters, and restores the parameters.
    public func withAverages<Result>(_ body: () throws -> Result) rethrows -> Result {
        swap()
        defer { swap() }
        return try body()
    }

    private func swap() {
        withoutGradient {
            for (parameter, average) in zip(parameters, averages) {
                let kept = average.cloned()
                average.copy(from: parameter.tensor)
                parameter.tensor.copy(from: kept)
            }
        }
    }
}
