import CTorch
import ConcordCore

// Kernels over lists of tensors, in place. They change parameters, so they run inside `withoutGradient`.

extension Tensor {
    /// One step of AdamW (Loshchilov & Hutter 2019) on every parameter.
    ///
    /// - Parameters:
    ///   - parameters: Changed in place, as are both moments and the steps.
    ///   - steps: Float32 0-d counters of the steps taken, from 0.
    ///   - weightDecay: The fraction `learningRate * weightDecay` of each parameter is subtracted first.
    package static func fusedAdamW(
        parameters: [Tensor], gradients: [Tensor], firstMoments: [Tensor], secondMoments: [Tensor], steps: [Tensor],
        learningRate: Double, beta1: Double, beta2: Double, weightDecay: Double, epsilon: Double,
        file: StaticString = #fileID, line: UInt = #line
    ) {
        let count = parameters.count
        precondition(
            [gradients.count, firstMoments.count, secondMoments.count, steps.count].allSatisfy { $0 == count },
            "AdamW needs a gradient, two moments and a step for each of the \(count) parameters")
        performInPlace(
            "_fused_adamw_",
            [.list(parameters), .list(gradients), .list(firstMoments), .list(secondMoments), .list(steps)],
            ["lr": .double(learningRate), "weight_decay": .double(weightDecay)], file, line
        ) {
            ctorch_fused_adamw(
                handles(parameters), handles(gradients), handles(firstMoments), handles(secondMoments), handles(steps),
                count, learningRate, beta1, beta2, weightDecay, epsilon)
        }
    }

    /// The p-norm of every tensor, 0-d each.
    package static func foreachNorm(
        _ tensors: [Tensor], p: Double = 2, file: StaticString = #fileID, line: UInt = #line
    ) -> [Tensor] {
        performList("_foreach_norm.Scalar", [.list(tensors)], ["ord": .double(p)], file, line) {
            ctorch_foreach_norm(handles(tensors), tensors.count, p, $0, $1)
        }
    }

    /// Multiplies every tensor by a number in place.
    package static func foreachMultiply(
        _ tensors: [Tensor], by factor: Double, file: StaticString = #fileID, line: UInt = #line
    ) {
        performInPlace("_foreach_mul_.Scalar", [.list(tensors)], ["scalar": .double(factor)], file, line) {
            ctorch_foreach_multiply(handles(tensors), tensors.count, factor)
        }
    }

    /// Moves every tensor towards its partner by the fraction `weight` in place, as a moving average does.
    package static func foreachLerp(
        _ tensors: [Tensor], to ends: [Tensor], weight: Double, file: StaticString = #fileID, line: UInt = #line
    ) {
        precondition(tensors.count == ends.count, "\(tensors.count) tensors need as many partners")
        performInPlace(
            "_foreach_lerp_.Scalar", [.list(tensors), .list(ends)], ["weight": .double(weight)], file, line
        ) {
            ctorch_foreach_lerp(handles(tensors), handles(ends), tensors.count, weight)
        }
    }

    /// Multiplies every gradient by the inverse of the loss scale in place, as torch's `GradScaler` does.
    ///
    /// - Parameters:
    ///   - inverseScale: float32, one element.
    ///   - found: float32, one element, on the gradients' device; becomes 1 if a gradient is not finite.
    package static func unscale(
        _ gradients: [Tensor], by inverseScale: Tensor, found: Tensor, file: StaticString = #fileID, line: UInt = #line
    ) {
        performInPlace(
            "_amp_foreach_non_finite_check_and_unscale_", [.list(gradients), .tensor(found), .tensor(inverseScale)],
            [:],
            file, line
        ) {
            ctorch_unscale_gradients(handles(gradients), gradients.count, inverseScale.handle, found.handle)
        }
    }

    /// Moves a loss scale in place, as torch's `GradScaler` does: down if `found` is 1, up after `growthInterval` calls
    /// without.
    ///
    /// - Parameters:
    ///   - scale: float32, one element.
    ///   - growthTracker: int32, one element: calls since the scale moved or `found` was 1.
    package static func updateScale(
        _ scale: Tensor, growthTracker: Tensor, found: Tensor, growthFactor: Double, backoffFactor: Double,
        growthInterval: Int, file: StaticString = #fileID, line: UInt = #line
    ) {
        performInPlace(
            "_amp_update_scale_", [.tensor(scale), .tensor(growthTracker), .tensor(found)],
            [
                "scale_growth_factor": .double(growthFactor), "scale_backoff_factor": .double(backoffFactor),
                "growth_interval": .int(growthInterval),
            ], file, line
        ) {
            ctorch_update_scale(
                scale.handle, growthTracker.handle, found.handle, growthFactor, backoffFactor, Int64(growthInterval))
        }
    }
}
