import ConcordCore
import ConcordTrain
import Foundation
import Testing

@Suite struct TrainingPlanTests {
    private func plan(_ yaml: String, _ pictures: Int) throws -> TrainingPlan {
        try TrainingPlan(Recipe(yaml: yaml, source: "test.yaml"), images: pictures)
    }

    @Test func whatARecipeSaysIsKept() throws {
        let recipes = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("recipes")
        let files = try FileManager.default.contentsOfDirectory(atPath: recipes.path).filter { $0.hasSuffix(".yaml") }
        #expect(files.count >= 8)
        for file in files {
            let recipe = try Recipe(path: recipes.appendingPathComponent(file).path)
            let plan = try TrainingPlan(recipe, images: 3282)
            #expect(plan.batchSize == recipe.train.batchSize && plan.epochs == recipe.train.epochs, "\(file)")
            #expect(plan.warmupSteps == recipe.train.warmupSteps, "\(file)")
            #expect(plan.checkpointEvery == recipe.train.checkpointEvery, "\(file)")
            #expect(plan.notes.count == 1 && !plan.notes[0].contains("follow"), "\(plan.notes)")
        }
    }

    @Test func aWarmUpIsATenthOfTheRunAndHalfOfItAtMost() throws {
        // What the README once told new users to write.
        let readme = "train: {epochs: 30, batch_size: 128}"
        let few = try plan(readme, 208)
        #expect(few.totalSteps == 30 && few.warmupSteps == 3)
        #expect(try plan("train: {epochs: 100, batch_size: 16}", 3200).warmupSteps == 100)
        let given = try plan("train: {epochs: 30, batch_size: 128, warmup_steps: 100}", 208)
        #expect(given.warmupSteps == 15)
        #expect(
            given.notes.contains { $0.contains("train.warmup_steps 100") && $0.contains("takes 15") }, "\(given.notes)")
        #expect(try plan("train: {epochs: 30, batch_size: 128, warmup_steps: 15}", 208).warmupSteps == 15)
        #expect(try plan("train: {epochs: 30, batch_size: 128, warmup_steps: 0}", 208).warmupSteps == 0)
        // And what is wrong with the rest of it.
        let warning = try #require(few.notes.last)
        #expect(warning.hasPrefix("warning: 30 steps are few") && warning.contains("train.batch_size"), "\(warning)")
        #expect(few.notes.contains { $0.contains("leaves out 80 of the 208 images") }, "\(few.notes)")
    }

    @Test(arguments: [2, 5, 16, 32, 100, 208, 1000, 3282, 20_000, 1_000_000])
    func whatIsNotGivenFitsTheData(_ pictures: Int) throws {
        let plan = try plan("seed: 1", pictures)
        #expect((2...min(256, pictures)).contains(plan.batchSize))
        #expect(plan.batchesPerEpoch >= (pictures < 128 ? 1 : 8))
        // No more than a quarter of the pictures is left out of an epoch, and enough steps are taken.
        #expect(4 * (pictures - plan.batchesPerEpoch * plan.batchSize) <= pictures || pictures < 32)
        #expect(plan.totalSteps >= 300 && plan.epochs >= 32)
        #expect(plan.warmupSteps <= plan.totalSteps / 10 && plan.warmupSteps <= 100)
        #expect((10...200).contains(plan.checkpointEvery) && plan.checkpointEvery <= plan.totalSteps / 5)
        #expect(!plan.notes.contains { $0.hasPrefix("warning") }, "\(plan.notes)")
        #expect(plan.notes[0].contains("train.batch_size and train.epochs follow"), "\(plan.notes)")
    }

    @Test func largeDataTakeWhatTheyAlwaysTook() throws {
        let plan = try plan("seed: 1", 100_000)
        #expect(plan.batchSize == 256 && plan.epochs == 32 && plan.warmupSteps == 100 && plan.checkpointEvery == 200)
    }

    @Test func aModelThatKnowsSomethingTakesFewerSteps() throws {
        let new = try plan("seed: 1", 208), loaded = try plan("model.start: some/model", 208)
        #expect(loaded.totalSteps < new.totalSteps && loaded.totalSteps >= 200 && loaded.epochs <= 32)
        #expect(try plan("model.text_tower: some/model", 208).totalSteps == new.totalSteps)
    }

    @Test(arguments: [(0, "no image"), (1, "one image"), (7, "fewer than train.batch_size 8")])
    func tooFewPicturesAreRefused(_ pictures: Int, _ text: String) {
        let error = #expect(throws: ConcordError.self) { try plan("train.batch_size: 8", pictures) }
        #expect(error?.code == .invalidDataset && error?.message.contains(text) == true, "\(error?.message ?? "")")
    }
}
