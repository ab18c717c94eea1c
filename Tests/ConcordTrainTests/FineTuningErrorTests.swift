import ConcordCore
import ConcordTestSupport
import Foundation
import Testing

/// What a run that starts from a model refuses.
@Suite struct FineTuningErrorTests {
    @Test func aFolderThatIsNoModelIsRefused() throws {
        #expect(try FineTuning.refusal("model.start: nowhere", code: .fileSystem).contains("no folder nowhere"))
    }

    @Test func moreLockedBlocksThanThereAreAreRefused() throws {
        let base = try FineTuning.base.get()
        let message = try FineTuning.refusal("model.start: \(base.model)\ntrain.lock_text: 3")
        #expect(message.contains("train.lock_text is 3") && message.contains("2 blocks"), "\(message)")
    }

    @Test func lockingEverythingIsRefused() throws {
        let base = try FineTuning.base.get()
        let message = try FineTuning.refusal("model.start: \(base.model)\ntrain: {lock_text: all, lock_image: all}")
        #expect(message.contains("nothing of either tower"), "\(message)")
    }

    @Test func lockingANewProjectionIsRefused() throws {
        let base = try FineTuning.base.get()
        let message = try FineTuning.refusal(
            "model: {image_tower: \(base.model), text_tower: \(base.model), text_projection: linear}\n"
                + "train.lock_text: all")
        #expect(message.contains("text_projection.weight") && message.contains("train.lock_text 2"), "\(message)")
    }

    @Test func anotherWidthThanTheTextTowersIsRefused() throws {
        let base = try FineTuning.base.get()
        let message = try FineTuning.refusal("model: {text_tower: \(base.model), projection_width: 24}")
        #expect(message.contains("model.projection_width is 24"), "\(message)")
    }

    @Test func aPerceptronBehindATransformerIsRefused() throws {
        let base = try FineTuning.base.get()
        let message = try FineTuning.refusal("model: {text_tower: \(base.model), text_projection: perceptron}")
        #expect(message.contains("BERT family"), "\(message)")
    }

    @Test func aPictureSizeThatIsNoMultipleOfThePatchIsRefused() throws {
        let base = try FineTuning.base.get()
        let message = try FineTuning.refusal("model: {start: \(base.model), image_size: 20}")
        #expect(message.contains("model.image_size 20"), "\(message)")
    }

    @Test func aRankAboveTheWidthIsRefused() throws {
        let base = try FineTuning.base.get()
        let message = try FineTuning.refusal("model.start: \(base.model)\ntrain.lora.rank: 17")
        #expect(message.contains("train.lora.rank 17"), "\(message)")
    }

    @Test func otherWeightsThanTheRunBeganWithAreNotResumed() throws {
        let base = try FineTuning.base.get()
        try withTemporaryFolder { folder in
            let start = folder + "/start", output = folder + "/run"
            try FileManager.default.copyItem(atPath: base.model, toPath: start)
            let keys = "model.start: \(start)\n" + FineTuning.adapters
            let first = try FineTuning.train(keys, in: folder)
            #expect(first.status == 0, "\(first.errors)")
            // The finished run is a model of the same kind with other weights.
            try Files.replace(start + "/model.safetensors", with: Files.read(output + "/model.safetensors"))
            try FileManager.default.removeItem(atPath: start + "/concord.json")
            let resumed = try FineTuning.train(keys, in: folder, "--resume")
            #expect(resumed.status == 1 && resumed.errors.contains(start + "/model.safetensors has changed"))
        }
    }

    @Test func eventsOfARunWithoutACheckpointDoNotStay() throws {
        try withTemporaryFolder { folder in
            let base = try FineTuning.base.get()
            try Files.makeFolder(folder + "/run/events")
            try Files.replace(folder + "/run/events/events.out.tfevents.1.host", with: [0])
            let result = try FineTuning.train("model.start: \(base.model)", in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let events = try FileManager.default.contentsOfDirectory(atPath: folder + "/run/events")
            #expect(events.count == 1 && events != ["events.out.tfevents.1.host"])
        }
    }
}
