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

    /// The values under the names that `metrics.jsonl` and TensorBoard show.
    public var values: [(name: String, value: Double)] {
        [
            ("epoch", Double(epoch)), ("loss", loss), ("learning_rate", learningRate), ("logit_scale", logitScale),
            ("accuracy", accuracy), ("positive_cosine", positiveCosine), ("negative_cosine", negativeCosine),
            ("gradient_norm", gradientNorm), ("samples_per_second", samplesPerSecond), ("data_wait", dataWait),
        ]
    }
}
