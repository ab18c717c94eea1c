import ConcordLosses

/// What one training step reports.
///
/// What is measured of the embeddings is NaN at steps that do not measure them.
public struct TrainingStep: Sendable {
    /// Steps done, this one included.
    public var step: Int
    public var epoch: Int
    public var loss: Double
    /// Of a CoCa: the two parts of the loss, without their weights.
    public var contrastiveLoss, captionLoss: Double?
    public var learningRate: Double
    /// `exp(logitScale)`: the factor on cosines.
    public var logitScale: Double
    /// What is added to the scaled cosines; nil for a model without.
    public var logitBias: Double?
    public var gradientNorm: Double
    /// Share of pairs whose own partner scores highest in the batch, over both directions.
    public var accuracy = Double.nan
    /// Mean cosine of the pairs, and of everything else in the batch.
    public var positiveCosine = Double.nan, negativeCosine = Double.nan
    /// The InfoNCE loss of guessing in a batch of this size.
    public var lnN = Double.nan
    /// See ``ConcordLosses/ContrastiveReport/alignment``.
    public var alignment = Double.nan
    /// See ``ConcordLosses/EmbeddingSpread/uniformity``.
    public var imageUniformity = Double.nan, textUniformity = Double.nan
    /// What is wrong with the embeddings. New towers put all inputs near one point, so that the first steps have some.
    public var warnings: [EmbeddingWarning] = []
    /// Pictures a second since the last report.
    public var samplesPerSecond = 0.0
    /// Share of the time since the last report that the trainer waited for data.
    public var dataWait = 0.0

    /// The values under the names that `metrics.jsonl` and TensorBoard show.
    public var values: [(name: String, value: Double)] {
        let scale = [("logit_scale", logitScale)] + (logitBias.map { [("logit_bias", $0)] } ?? [])
        let parts = [("contrastive_loss", contrastiveLoss), ("caption_loss", captionLoss)].compactMap { name, value in
            value.map { (name, $0) }
        }
        return [("epoch", Double(epoch)), ("loss", loss)] + parts + [("learning_rate", learningRate)] + scale + [
            ("accuracy", accuracy), ("positive_cosine", positiveCosine), ("negative_cosine", negativeCosine),
            ("ln_n", lnN), ("alignment", alignment), ("uniformity_image", imageUniformity),
            ("uniformity_text", textUniformity), ("gradient_norm", gradientNorm),
            ("samples_per_second", samplesPerSecond), ("data_wait", dataWait),
        ]
    }

    /// Takes the means over the reports of all slots of captions.
    mutating func fill(_ reports: [ContrastiveReport], guessingLoss: Double?) {
        func mean(_ value: (ContrastiveReport) -> Double) -> Double {
            reports.map(value).reduce(0, +) / Double(reports.count)
        }
        accuracy = mean(\.accuracy)
        positiveCosine = mean(\.positiveCosine)
        negativeCosine = mean(\.negativeCosine)
        lnN = mean(\.lnN)
        alignment = mean(\.alignment)
        imageUniformity = mean(\.first.uniformity)
        textUniformity = mean(\.second.uniformity)
        warnings = reports.flatMap { $0.warnings(loss: guessingLoss, firstName: "picture", secondName: "caption") }
    }
}
