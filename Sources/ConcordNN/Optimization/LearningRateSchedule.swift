import Foundation

/// The learning rate as a function of the step.
public struct LearningRateSchedule: Sendable, Hashable {
    /// What follows the warm-up.
    public enum Shape: String, Sendable, CaseIterable {
        /// Half a cosine down to zero at the last step.
        case cosine
        case constant
    }

    public let shape: Shape
    public let peak: Double
    /// Steps over which the rate rises linearly from `peak / warmupSteps` to `peak`.
    public let warmupSteps: Int
    public let totalSteps: Int

    public init(_ shape: Shape, peak: Double, warmupSteps: Int, totalSteps: Int) {
        self.shape = shape
        self.peak = peak
        self.warmupSteps = warmupSteps
        self.totalSteps = totalSteps
    }

    /// The rate of the update after `step` updates (from 0), as open_clip's `cosine_lr` and `const_lr` have it.
    public func callAsFunction(_ step: Int) -> Double {
        if step < warmupSteps { return peak * Double(step + 1) / Double(warmupSteps) }
        guard shape == .cosine else { return peak }
        let progress = Double(step - warmupSteps) / Double(max(1, totalSteps - warmupSteps))
        return 0.5 * (1 + cos(.pi * min(1, progress))) * peak
    }
}
