import ConcordCore
import ConcordTensor

/// The dynamic loss scale of training in float16 (Micikevicius et al. 2018): torch's `GradScaler`, to the bit.
///
/// float16 has no values below 6e-8, where many gradients are. So the backward pass starts from ``scale`` in place of 1,
/// and ``unscale(_:group:)`` takes it out again, once a step and before anything that reads gradients:
/// ```swift
/// func step(_ loss: Tensor, scaler: GradientScaler, optimizer: AdamW, parameters: [Parameter]) throws {
///     loss.backward(gradient: Tensor(scaler.scale))
///     guard try scaler.unscale(parameters) else { return }  // the step is skipped, and nothing moves
///     _ = GradientClipping.clip(parameters, maximum: 1)
///     optimizer.step(learningRate: 1e-3)
/// }
/// ```
/// The scale grows as far as the gradients allow: a gradient that is infinite or NaN halves it, 2,000 steps without
/// double it.
public final class GradientScaler {
    /// How the scale moves.
    public struct Options: Sendable, Hashable {
        public var initialScale = 65_536.0
        /// What the scale is multiplied by after ``growthInterval`` steps without a skipped one.
        public var growthFactor = 2.0
        /// What the scale is multiplied by at a skipped step.
        public var backoffFactor = 0.5
        public var growthInterval = 2000

        public init() {}
    }

    /// Steps that may be skipped in a row, of which a batch or two are usual after the scale has grown.
    package static let mostSkippedInARow = 24
    private static let smallestScale = 1.0

    private var options: Options
    // Tensors, because they are what libtorch's kernel moves: float32 and int32, one element each.
    private let scaleValue: Tensor
    private let growthTracker: Tensor
    private var skippedInARow = 0

    public init(options: Options = Options()) {
        self.options = options
        scaleValue = Tensor([Float(options.initialScale)])
        growthTracker = Tensor([0] as [Int32])
    }

    /// The gradient of the loss with which the next backward pass starts; a float32.
    public var scale: Double { scaleValue.item() }

    /// Divides the gradients by the scale in place, and moves the scale.
    ///
    /// All backward passes of a step have the same scale, so call this after the last one, and once.
    ///
    /// - Parameters:
    ///   - parameters: all that train, in the same order on all processes; those without a gradient are left out.
    ///   - group: the processes that train together: all of them skip a step in which one has to.
    /// - Returns: whether the gradients of all processes are finite. If not, skip the step: update neither parameters
    ///   nor averages, and take the next step with the same learning rate.
    /// - Throws: `.nonFiniteValue`, naming the first parameter whose gradient is not finite, when 25 steps in a row had
    ///   to be skipped or the scale falls below 1; `.dtypeMismatch` for gradients in float16, which have lost already
    ///   what a scale could save; `.processGroup` when another process fails.
    public func unscale(_ parameters: [Parameter], group: ProcessGroup? = nil) throws(ConcordError) -> Bool {
        let trained = parameters.compactMap { parameter in parameter.tensor.gradient.map { (parameter.name, $0) } }
        if let (name, gradient) = trained.first(where: { $0.1.dtype == .float16 }) {
            throw ConcordError(
                .dtypeMismatch,
                "the gradient of \(name), of shape \(gradient.shape), is float16; train parameters of float32 and run the "
                    + "model in autocast(.float16)")
        }
        let device = parameters.first?.tensor.device ?? .cpu
        let inverse = Tensor([Float(1 / scale)], device: device), found = Tensor([0] as [Float], device: device)
        for gradients in Dictionary(grouping: trained.map(\.1), by: \.dtype).values {
            withoutGradient { Tensor.unscale(gradients, by: inverse, found: found) }
        }
        try group?.allReduce(found, .maximum)
        Tensor.updateScale(
            scaleValue, growthTracker: growthTracker, found: found.to(.cpu), growthFactor: options.growthFactor,
            backoffFactor: options.backoffFactor, growthInterval: options.growthInterval)
        guard found.item() != 0 else {
            skippedInARow = 0
            return true
        }
        skippedInARow += 1
        guard skippedInARow <= Self.mostSkippedInARow, scale >= Self.smallestScale else {
            throw failure(try Self.firstNonFinite(parameters, group))
        }
        return false
    }

    private func failure(_ name: String) -> ConcordError {
        let steps = skippedInARow == 1 ? "a step" : "\(skippedInARow) steps in a row"
        return ConcordError(
            .nonFiniteValue,
            "\(steps) had to be skipped, because gradients were infinite or NaN, the first that of \(name); the loss scale "
                + "has come down to \(scale). Train in bfloat16 or float32, or with a lower learning rate")
    }

    /// The name of the first parameter with a gradient that is not finite, on any process.
    private static func firstNonFinite(
        _ parameters: [Parameter], _ group: ProcessGroup?
    ) throws(ConcordError) -> String {
        let index = parameters.firstIndex { parameter in
            parameter.tensor.gradient.map { !$0.isFinite().all().item().isEqual(to: 1) } ?? false
        }
        let place = Tensor([Double(index ?? parameters.count)])
        try group?.allReduce(place, .minimum)
        return parameters[Int(place.item())].name
    }
}

extension GradientScaler {
    /// The state for a checkpoint, under the names of torch's `state_dict`.
    public var state: JSONValue {
        [
            "scale": .number(scale), "growth_factor": .number(options.growthFactor),
            "backoff_factor": .number(options.backoffFactor), "growth_interval": .integer(options.growthInterval),
            "_growth_tracker": .integer(Int(growthTracker.item())),
        ]
    }

    /// Goes on from a saved state.
    ///
    /// - Parameter path: the file of the state, for errors.
    /// - Throws: `.invalidCheckpoint` when a value is missing or impossible.
    public func restore(_ state: JSONValue, path: String) throws(ConcordError) {
        func number<Value>(
            _ name: String, _ expected: String, _ read: (JSONValue) -> Value?
        ) throws(ConcordError) -> Value {
            guard let value = state[name].flatMap(read) else {
                let found = state[name].map { "is \($0.text())" } ?? "is missing"
                throw ConcordError(
                    .invalidCheckpoint,
                    "\(path): \(name) of the loss scale \(found); it must be \(expected). Resume from another checkpoint"
                )
            }
            return value
        }
        var options = Options()
        let scale = try number("scale", "a float32 of at least 1") { value in
            value.double.flatMap { $0 >= Self.smallestScale ? Float(exactly: $0) : nil }
        }
        options.initialScale = Double(scale)
        options.growthFactor = try number("growth_factor", "a number above 1") { value in
            value.double.flatMap { $0 > 1 && $0.isFinite ? $0 : nil }
        }
        options.backoffFactor = try number("backoff_factor", "a number between 0 and 1") { value in
            value.double.flatMap { $0 > 0 && $0 < 1 ? $0 : nil }
        }
        options.growthInterval = try number("growth_interval", "a whole number above 0") { value in
            value.int.flatMap { (1...Int(Int32.max)).contains($0) ? $0 : nil }
        }
        let interval = options.growthInterval
        let tracker = try number("_growth_tracker", "a whole number below growth_interval") { value in
            value.int.flatMap { (0..<interval).contains($0) ? $0 : nil }
        }
        self.options = options
        withoutGradient {
            scaleValue.fill(options.initialScale)
            growthTracker.fill(Double(tracker))
        }
        skippedInARow = 0
    }
}
