import ConcordCore
import ConcordEvaluate

/// Says when a trained model finds no more than chance does, and why.
struct ChanceWarning {
    /// The measurements of one split and language.
    struct Measurement {
        let split: String
        /// Whether its images were trained on.
        let isTrained: Bool
        let result: RetrievalResult
        /// 0 where all vectors of images, or of captions, are one point; NaN where some are not numbers.
        let uniformity: Double
    }

    let recipe: Recipe
    let plan: TrainingPlan
    let survey: DataSurvey
    /// The loss of the last step, and that of guessing.
    let loss, guessingLoss: Double

    /// Nothing for a model that is better than chance everywhere; otherwise what it does not do, and the cause.
    func warnings(for measurements: [Measurement]) -> [String] {
        let failed = measurements.filter { Self.isChance($0.result, isTrained: $0.isTrained) }
        let trained = measurements.filter(\.isTrained)
        guard let worst = failed.first(where: \.isTrained) ?? failed.first else { return [] }
        let learned = trained.first { measurement in !failed.contains { $0.split == measurement.split } }
        if let learned, !worst.isTrained {
            return [
                "on the unseen images of \(worst.split) the model is no better than chance: "
                    + "\(text(worst)). On those of \(learned.split) it finds \(Self.percent(learned.result)): it has memorized "
                    + "them. More data help most, then a pretrained model to start from (model.start), then stronger "
                    + "data.augmentation"
            ]
        }
        return ["the model is no better than chance: \(text(worst)). \(cause(worst))"]
    }

    private func text(_ measurement: Measurement) -> String {
        let chance = NumberText.significant(100 / Double(max(1, measurement.result.gallery)), digits: 2)
        return "the right image comes first for \(Self.percent(measurement.result)) of the captions of "
            + "\(measurement.split), and chance is \(chance) %"
    }

    private static func percent(_ result: RetrievalResult) -> String {
        NumberText.fixed(100 * result.textToImage.recallAt1, decimals: 1) + " %"
    }

    /// Whether as many right answers come by chance: not more than three standard deviations above what is expected.
    static func isChance(_ result: RetrievalResult, isTrained: Bool) -> Bool {
        func isChance(_ metrics: RetrievalMetrics, _ count: Int) -> Bool {
            func isLow(_ recall: Double, _ places: Int) -> Bool {
                let share = min(1, Double(places) / Double(max(1, result.gallery)))
                let expected = Double(count) * share
                // Where chance finds most, as among a dozen images, nothing can be said.
                return share < 0.5 && recall * Double(count) <= expected + 3 * (expected * (1 - share)).squareRoot() + 1
            }
            // Of few images that were not trained on, a good model may find none at once, but some among ten.
            return isLow(metrics.recallAt1, 1) && (isTrained || isLow(metrics.recallAt10, 10))
        }
        return isChance(result.textToImage, result.queries) && isChance(result.imageToText, result.images)
    }

    /// Why nothing was learned, as far as it can be told.
    private func cause(_ measurement: Measurement) -> String {
        let steps = plan.totalSteps, isNew = recipe.model.isNew, needed = TrainingPlan.usefulSteps(isNew: isNew)
        let missing = max(1, (needed - steps + plan.batchesPerEpoch - 1) / plan.batchesPerEpoch)
        let rate = NumberText.significant(recipe.train.learningRate, digits: 2)
        if survey.distinctCaptions == 1 { return "All captions read the same, so there is nothing to learn from them" }
        if survey.sampled > 1, survey.distinctSampled == 1 {
            return "All images that were looked at are the same, so there is nothing to learn from them"
        }
        if measurement.uniformity.isNaN {
            return
                "Some of its vectors are not numbers; take a train.learning_rate below \(rate), or a train.gradient_clip"
        }
        if 5 * steps < needed {
            return
                "It has taken \(steps) steps, and a model that \(isNew ? "begins with nothing" : "adapts") needs about "
                + "\(needed): go on with --epochs-more \(missing), or take a smaller train.batch_size"
        }
        if recipe.train.learningRate < (isNew ? 2e-5 : 1e-7) {
            return "train.learning_rate \(rate) is too low to learn anything in \(steps) steps"
        }
        if measurement.uniformity > -0.1 {
            return "Its vectors have collapsed to one point; take a train.learning_rate below \(rate), or a larger "
                + "train.batch_size"
        }
        if survey.hasLabels {
            return "\(survey.images) images share \(survey.distinctCaptions) captions, so that recall cannot tell "
                + "which of them is meant; `concord classify` fits labels"
        }
        if loss > 0.95 * guessingLoss {
            return
                "Its loss is still that of guessing; check that each caption belongs to its image, and try another "
                + "train.learning_rate than \(rate)"
        }
        if steps < needed { return "It has taken \(steps) steps, which are few: go on with --epochs-more \(missing)" }
        return "Check that each caption belongs to its image, and try another train.learning_rate than \(rate)"
    }
}
