import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordModels
import ConcordNN
import ConcordTensor
import Foundation

/// Everything a run needs to go on as if it had never stopped, as one folder `checkpoints/step-<steps done>`.
///
/// Data order, augmentation and dropout follow from the seed and the step alone, so the weights, the optimizer's
/// moments and the averages are all there is to save; of the weights those that train, and those that no model folder
/// holds. A checkpoint is written under a hidden name and renamed when
/// all of it is on disk: one that can be seen is whole.
struct TrainingCheckpoint {
    let path: String
    /// Steps done.
    let step: Int

    private static let prefix = "step-"
    private var weights: String { path + "/model.safetensors" }
    private var optimizer: String { path + "/optimizer.safetensors" }
    private var averages: String { path + "/averages.safetensors" }
    private var state: String { path + "/state.json" }

    /// Saves a checkpoint and removes all but the newest that the recipe keeps. All processes of a run call it; rank 0
    /// writes.
    ///
    /// - Throws: `.fileSystem`, for example on a full disk; older checkpoints are then still there.
    static func save(
        step: Int, trainer: Trainer, recipe: Recipe, data: TrainingData, in folder: RunFolder, isWriter: Bool = true
    ) throws {
        guard isWriter else { return try trainer.optimizer.save(to: nil) }
        let name = prefix + String(step)
        let final = folder.checkpoints + "/" + name
        let draft = TrainingCheckpoint(path: folder.checkpoints + "/.\(name).tmp", step: step)
        do {
            try? FileManager.default.removeItem(atPath: draft.path)
            try Files.makeFolder(draft.path)
            try TensorFile.write(trainer.model.store.resumable.map { ($0.name, $0.tensor) }, to: draft.weights)
            try trainer.optimizer.save(to: draft.optimizer)
            if let averages = trainer.averages { try TensorFile.write(averages.namedState, to: draft.averages) }
            let state = JSONValue.object(
                [
                    .init("step", .integer(step)), .init("epochs", .integer(data.plan.epochs)),
                    .init("batch_size", .integer(data.plan.batchSize)), .init("recipe", .string(recipe.text)),
                ] + scaleMembers(trainer) + data.fingerprint.members)
            try Files.replace(draft.state, with: state.text(pretty: true) + "\n")
            try Files.synchronizeFolder(draft.path)
            // A checkpoint of this very step can only be there from before a resume; the new one is the same.
            try? FileManager.default.removeItem(atPath: final)
            guard rename(draft.path, final) == 0 else { throw ConcordError.system("rename", draft.path) }
            try Files.synchronizeFolder(folder.checkpoints)
            // The folder of checkpoints itself may be new.
            try Files.synchronizeFolder(folder.path)
        } catch {
            try? FileManager.default.removeItem(atPath: draft.path)
            throw error
        }
        for old in try all(in: folder).dropLast(recipe.train.checkpointsKept) {
            try? FileManager.default.removeItem(atPath: old.path)
        }
    }

    /// The newest checkpoint of a run; nil when there is none.
    static func latest(in folder: RunFolder) throws(ConcordError) -> TrainingCheckpoint? { try all(in: folder).last }

    /// All whole checkpoints, oldest first.
    private static func all(in folder: RunFolder) throws(ConcordError) -> [TrainingCheckpoint] {
        guard Files.exists(folder.checkpoints) else { return [] }
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder.checkpoints).compactMap { name in
                guard name.hasPrefix(prefix), let step = Int(name.dropFirst(prefix.count)) else { return nil }
                return TrainingCheckpoint(path: folder.checkpoints + "/" + name, step: step)
            }.sorted { $0.step < $1.step }
        } catch {
            throw ConcordError(.fileSystem, "cannot list \(folder.checkpoints): \(error.localizedDescription)")
        }
    }

    /// The plan of the run as it goes on from here: the one that it began with, or one of more epochs.
    ///
    /// - Parameter epochsMore: epochs beyond those of the saved plan; nil takes the recipe's, where it has more now.
    /// - Throws: `.invalidConfiguration` when the run was started with another recipe or has more epochs already, other
    ///   captions or from other weights; `.invalidCheckpoint` for a state that cannot be read.
    func plan(
        _ recipe: Recipe, images: Int, epochsMore: Int?, fingerprint: RunFingerprint
    ) throws -> (now: TrainingPlan, before: TrainingPlan) {
        let saved = try JSONValue(contentsOf: state)
        guard let savedText = saved["recipe"]?.string, saved["step"]?.int == step else {
            throw ConcordError(.invalidCheckpoint, "\(state) names no recipe or another step; remove \(path)")
        }
        guard let epochs = saved["epochs"]?.int, let batchSize = saved["batch_size"]?.int else {
            throw ConcordError(
                .invalidCheckpoint,
                "\(state) is of an earlier version of concord, which planned runs differently; start a new run in another "
                    + "--output folder")
        }
        let old = Recipe.withoutEpochs(savedText), given = Recipe.withoutEpochs(recipe.text)
        guard old == given else {
            throw ConcordError(
                .invalidConfiguration,
                "\(path) was made with another recipe (\(Self.firstDifference(old, given))); "
                    + "resume with the same recipe and --set values, or start a new run in another --output folder")
        }
        if let changed = fingerprint.firstChange(since: saved) {
            throw ConcordError(
                .invalidConfiguration,
                "\(changed) has changed since \(path) was saved, so the run cannot be resumed as it began; restore "
                    + "the old file, or start a new run in another --output folder")
        }
        let before = try TrainingPlan(recipe, images: images, epochs: epochs)
        guard before.batchSize == batchSize else {
            throw ConcordError(
                .invalidCheckpoint,
                "\(path) was made with batches of \(batchSize), and this version of concord would take "
                    + "\(before.batchSize); start anew in another --output folder")
        }
        if let epochsMore { return (try TrainingPlan(recipe, images: images, epochs: epochs + epochsMore), before) }
        guard savedText != recipe.text else { return (before, before) }
        let now = try TrainingPlan(recipe, images: images)
        guard now.epochs >= epochs else {
            throw ConcordError(
                .invalidConfiguration,
                "the run in \(path) is one of \(epochs) epochs, and train.epochs is \(now.epochs) now; resume "
                    + "with --set train.epochs=\(epochs), or a higher number")
        }
        return (now, before)
    }

    /// Puts weights, moments, averages and the loss scale back.
    ///
    /// - Throws: `.invalidCheckpoint` when a tensor or the scale is missing or misshapen.
    func restore(_ trainer: Trainer) throws {
        try trainer.model.store.restore(TensorFile.read(weights), path: weights)
        // Where processes share out the moments, each reads its part.
        let moments = Set(trainer.optimizer.namedState.map(\.0))
        try trainer.optimizer.restore(TensorFile.read(optimizer, where: moments.contains), path: optimizer)
        try trainer.averages?.restore(TensorFile.read(averages), path: averages)
        try restoreScale(trainer)
    }

    /// The loss scale of float16, under torch's names, and the steps that were skipped.
    private static func scaleMembers(_ trainer: Trainer) -> [JSONValue.Member] {
        guard let scaler = trainer.scaler else { return [] }
        return [.init("scaler", scaler.state), .init("skipped_steps", .integer(trainer.skippedSteps))]
    }

    private func restoreScale(_ trainer: Trainer) throws(ConcordError) {
        guard let scaler = trainer.scaler else { return }
        let saved = try JSONValue(contentsOf: state)
        guard let scale = saved["scaler"], let skipped = saved["skipped_steps"]?.int, (0...step).contains(skipped)
        else {
            throw ConcordError(
                .invalidCheckpoint,
                "\(state) lacks the loss scale of float16, scaler and skipped_steps; resume from another checkpoint")
        }
        try scaler.restore(scale, path: state)
        trainer.skippedSteps = skipped
    }

    private static func firstDifference(_ saved: String, _ given: String) -> String {
        let old = saved.split(separator: "\n", omittingEmptySubsequences: false)
        let new = given.split(separator: "\n", omittingEmptySubsequences: false)
        for index in 0..<max(old.count, new.count) {
            let (was, now) = (index < old.count ? old[index] : "nothing", index < new.count ? new[index] : "nothing")
            if was != now { return "it had \"\(was)\" where this one has \"\(now)\"" }
        }
        return "no line differs"
    }
}

/// Hashes of the files that a run reads again when it is resumed, so that it goes on with the same ones or not at all.
struct RunFingerprint {
    private let captions: (path: String, sha256: String)
    /// The file with sounds; nil where there is none.
    private let sounds: (path: String, sha256: String)?
    /// The weights that the run starts from.
    private let weights: [(path: String, sha256: String)]

    /// Throws `.fileSystem` or `.invalidCheckpoint` for files that cannot be read.
    init(_ dataset: CaptionDataset, _ start: PretrainedSource) throws(ConcordError) {
        captions = (dataset.captionFile, try FileHash(.sha256, ofFile: dataset.captionFile).hexadecimal)
        sounds = try dataset.soundFile.map { path throws(ConcordError) in
            (path: path, sha256: try FileHash(.sha256, ofFile: path).hexadecimal)
        }
        weights = try start.hashes()
    }

    /// What processes compare of it.
    var texts: [(name: String, text: String)] {
        var texts = [(name: "the caption file", text: captions.sha256)]
        if let sounds { texts.append((name: "the file with sounds", text: sounds.sha256)) }
        return texts
            + weights.map { ("the file \(($0.path as NSString).lastPathComponent) of the first weights", $0.sha256) }
    }

    /// The members of a checkpoint's `state.json`.
    var members: [JSONValue.Member] {
        let sounds = sounds.map { [JSONValue.Member("sounds_sha256", .string($0.sha256))] } ?? []
        return [
            .init("captions_sha256", .string(captions.sha256)),
            .init("weights_sha256", .array(weights.map { .string($0.sha256) })),
        ] + sounds
    }

    /// The path of a file that is not what a saved state says; nil when all are.
    func firstChange(since saved: JSONValue) -> String? {
        guard saved["captions_sha256"]?.string == captions.sha256 else { return captions.path }
        if let sounds, saved["sounds_sha256"]?.string != sounds.sha256 { return sounds.path }
        let old = saved["weights_sha256"]?.elements?.map(\.string) ?? []
        return weights.indices.first { $0 >= old.count || old[$0] != weights[$0].sha256 }.map { weights[$0].path }
    }
}

/// The checkpoint schedule of a run: every `checkpointEvery` steps, and after `train.checkpoint_minutes` in any case.
struct CheckpointSchedule {
    private let steps: Int
    private let time: Duration?
    private(set) var lastStep: Int
    private var lastTime = ContinuousClock.now

    init(_ train: Recipe.TrainSection, _ plan: TrainingPlan, from step: Int) {
        steps = plan.checkpointEvery
        time = train.checkpointMinutes > 0 ? .seconds(60 * train.checkpointMinutes) : nil
        lastStep = step
    }

    func isDue(_ step: Int) -> Bool {
        step % steps == 0 || time.map { ContinuousClock.now - lastTime >= $0 } ?? false
    }

    mutating func saved(_ step: Int) {
        lastStep = step
        lastTime = .now
    }
}
