import ConcordCore
import ConcordLosses
import ConcordModels
import ConcordTensor

/// A goal of training: it maps what a model makes of a batch to terms of the loss.
///
/// A trainer adds up the terms of all its objectives. An objective of one's own names the outputs that it reads, and
/// computes with them:
/// ```swift
/// struct SpreadObjective: TrainingObjective {
///     let outputs: Set<ModelOutput> = [.embedding(.image)]
///
///     func terms(_ pass: ForwardPass) throws(ConcordError) -> [LossTerm] {
///         let images = try pass.embeddings(of: .image).values.selected(axis: 1, at: 0)  // [rows, width]
///         return [LossTerm("spread", images.matmul(images.transposed(0, 1)).square().mean(), weight: 0.1)]
///     }
/// }
/// ```
public protocol TrainingObjective {
    /// The outputs of the model that the objective reads.
    var outputs: Set<ModelOutput> { get }

    /// The terms of the loss. Each is a mean over the batch of all processes, and its gradients in what the processes
    /// share are this process's part, as those of ``ConcordLosses/ScorePlan`` are.
    ///
    /// - Returns: the terms; none for a batch that has no row with what the objective reads.
    /// - Throws: what its losses throw.
    func terms(_ pass: ForwardPass) throws(ConcordError) -> [LossTerm]

    /// What to log of a step besides the loss; called at logged steps only.
    ///
    /// - Parameter terms: the values of the terms of this pass.
    func measurements(_ pass: ForwardPass, terms: [LossTerm]) throws(ConcordError) -> TrainingMeasurements
}

extension TrainingObjective {
    public func measurements(_ pass: ForwardPass, terms: [LossTerm]) throws(ConcordError) -> TrainingMeasurements {
        TrainingMeasurements()
    }
}

/// A named part of a loss, with its weight in the whole.
public struct LossTerm {
    public let name: String
    /// The value without its weight, `[]`, differentiable.
    public let value: Tensor
    public let weight: Double

    public init(_ name: String, _ value: Tensor, weight: Double = 1) {
        self.name = name
        self.value = value
        self.weight = weight
    }
}

/// Values that an objective measures, with warnings about them.
public struct TrainingMeasurements {
    public var values: [(name: String, value: Double)]
    package var warnings: [EmbeddingWarning]

    public init(_ values: [(name: String, value: Double)] = []) {
        self.values = values
        warnings = []
    }
}
