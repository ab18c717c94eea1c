import ConcordCore

/// What one training step reports.
public struct TrainingStep: Sendable {
    /// Steps done, this one included.
    public var step: Int
    public var epoch: Int
    public var loss: Double
    public var learningRate: Double
    /// `exp(logitScale)`: the factor on cosines.
    public var logitScale: Double
    /// Share of pairs whose own partner scores highest in the batch, over both directions.
    public var accuracy: Double
    /// Mean cosine of the pairs, and of everything else in the batch.
    public var positiveCosine, negativeCosine: Double
    public var gradientNorm: Double
    /// Pictures a second since the last report.
    public var samplesPerSecond: Double
    /// Share of the time since the last report that the trainer waited for data.
    public var dataWait: Double

    /// One line of `metrics.jsonl`.
    public var json: JSONValue {
        [
            "step": .integer(step), "epoch": .integer(epoch), "loss": .number(loss),
            "learning_rate": .number(learningRate), "logit_scale": .number(logitScale),
            "accuracy": .number(accuracy), "positive_cosine": .number(positiveCosine),
            "negative_cosine": .number(negativeCosine), "gradient_norm": .number(gradientNorm),
            "samples_per_second": .number(samplesPerSecond), "data_wait": .number(dataWait),
        ]
    }
}
