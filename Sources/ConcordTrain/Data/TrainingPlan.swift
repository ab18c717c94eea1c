import ConcordCore
import ConcordNN

/// The numbers of a run: those of the recipe, and those that follow from the size of the data where it gives none.
package struct TrainingPlan: Sendable, Hashable {
    /// Images that are trained on.
    package let images: Int
    package let batchSize, epochs, warmupSteps, checkpointEvery: Int
    /// Notes for the user on where the numbers come from.
    package let notes: [String]

    /// An epoch leaves out the images that fill no batch, others each time.
    package var batchesPerEpoch: Int { images / batchSize }
    package var totalSteps: Int { batchesPerEpoch * epochs }

    /// The steps that a new model needs to tell images apart at all, and those that a loaded one needs to adapt.
    static func usefulSteps(isNew: Bool) -> Int { isNew ? 500 : 200 }
    private static let usualWarmup = 100

    /// - Parameters:
    ///   - images: how many there are to train on.
    ///   - epochs: in place of the recipe's, where a run goes on for more.
    /// - Throws: `.invalidDataset` for fewer images than a batch, or than two.
    package init(_ recipe: Recipe, images: Int, epochs: Int? = nil) throws(ConcordError) {
        let train = recipe.train, isNew = recipe.model.isNew
        guard images >= 2 else {
            throw ConcordError(
                .invalidDataset,
                "\(recipe.data.folder) has \(images == 0 ? "no image" : "one image") to train on, and a model "
                    + "learns by telling images apart; add some")
        }
        let batchSize = train.batchSize ?? Self.usualBatchSize(images: images)
        guard images >= batchSize else {
            throw ConcordError(
                .invalidDataset,
                "\(recipe.data.folder) has \(images) images to train on, fewer than train.batch_size \(batchSize); "
                    + "lower it, or leave it out to have one that fits")
        }
        let batches = images / batchSize
        let epochs = epochs ?? train.epochs ?? Self.usualEpochs(batches: batches, isNew: isNew)
        let steps = batches * epochs
        var notes = [String]()
        let own = [("train.batch_size", train.batchSize == nil), ("train.epochs", train.epochs == nil)]
        let chosen = own.filter(\.1).map(\.0)
        notes.append(
            "\(steps) steps: \(epochs) epochs of \(batches) batches of \(batchSize) images"
                + (chosen.isEmpty ? "" : "; \(chosen.joined(separator: " and ")) follow from \(images) images"))
        if let given = train.warmupSteps {
            warmupSteps = min(given, steps / 2)
            if warmupSteps < given {
                notes.append(
                    "train.warmup_steps \(given) is more than half of the \(steps) steps, so the warm-up takes "
                        + "\(warmupSteps)")
            }
        } else {
            warmupSteps = min(Self.usualWarmup, steps / 10)
        }
        checkpointEvery = train.checkpointEvery ?? min(200, max(10, steps / 20))
        if 4 * (images - batches * batchSize) > images {
            notes.append(
                "every epoch leaves out \(images - batches * batchSize) of the \(images) images, which fill no "
                    + "batch; train.batch_size \(images / (batches + 1)) leaves out fewer")
        }
        let few = Self.usefulSteps(isNew: isNew) / 5
        if steps < few {
            let fitting = Self.usualBatchSize(images: images)
            let advice = fitting < batchSize ? "train.batch_size \(fitting) and " : ""
            let more = Self.usualEpochs(batches: images / min(fitting, batchSize), isNew: isNew)
            notes.append(
                "warning: \(steps) steps are few to \(isNew ? "train from scratch" : "fine-tune a model"); "
                    + "\(advice)train.epochs \(more) would make \(images / min(fitting, batchSize) * more)")
        }
        self.images = images
        self.batchSize = batchSize
        self.epochs = epochs
        self.notes = notes
    }

    /// Small enough for several batches an epoch, large enough for an image to have others to be told from.
    static func usualBatchSize(images: Int) -> Int {
        var size = 256
        while size > 16, size * 8 > images { size /= 2 }
        return min(size, images)
    }

    /// Enough epochs for the steps that a model needs, up to a few hundred views of each image.
    private static func usualEpochs(batches: Int, isNew: Bool) -> Int {
        let needed = (usefulSteps(isNew: isNew) + batches - 1) / batches
        return isNew ? min(300, max(32, needed)) : min(32, max(5, needed))
    }

    /// The learning rate over the whole run.
    func schedule(_ train: Recipe.TrainSection) -> LearningRateSchedule {
        LearningRateSchedule(
            train.schedule, peak: train.learningRate, warmupSteps: warmupSteps, totalSteps: totalSteps)
    }

    /// A note on the learning rate of a run that was planned for fewer epochs and has done `step` steps.
    func extensionNote(after step: Int, of old: TrainingPlan, _ train: Recipe.TrainSection) -> String {
        func text(_ rate: Double) -> String { NumberText.significant(rate, digits: 2) }
        let last = old.schedule(train)(max(0, step - 1)), next = schedule(train)(step)
        let shape = train.schedule == .cosine ? "the cosine of all \(totalSteps) steps" : "the constant schedule"
        return
            "\(epochs) epochs instead of \(old.epochs): \(totalSteps - step) more steps, with the optimizer's state. "
            + "The learning rate follows \(shape), as if planned from the start: \(text(last)) at the last step, "
            + "\(text(next)) at the next"
    }
}
