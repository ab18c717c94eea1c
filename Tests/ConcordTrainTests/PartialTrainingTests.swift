import ConcordCheckpoint
import ConcordCore
import ConcordTestSupport
import Foundation
import Testing

/// Runs that train a part of the model: locked towers, adapters, slower layers.
@Suite struct PartialTrainingTests {
    @Test func aLockedTextTowerKeepsItsBits() throws {
        let (changed, all, _) = try FineTuning.changes("train.lock_text: all")
        #expect(changed == all.filter { !$0.hasPrefix("text_") })
    }

    @Test func aLockedImageTowerKeepsItsBits() throws {
        let (changed, all, _) = try FineTuning.changes("train.lock_image: all")
        #expect(changed == all.filter { !$0.hasPrefix("vis") })
    }

    @Test func aNumberLocksTheEmbeddingsAndTheFirstBlocks() throws {
        let (changed, all, _) = try FineTuning.changes("train.lock_image: 1\ntrain.lock_text: 0")
        func isLocked(_ name: String) -> Bool {
            [
                "vision_model.embeddings", "vision_model.pre_layrnorm", "vision_model.encoder.layers.0",
                "text_model.embed",
            ]
            .contains { name.hasPrefix($0) }
        }
        #expect(changed == all.filter { !isLocked($0) })
    }

    @Test func captionsEmbeddedOnceTrainLikeCaptionsEmbeddedAtEveryStep() throws {
        let base = try FineTuning.base.get()
        let curves = try [512, 0].map { megabytes in
            try withTemporaryFolder { folder in
                let result = try FineTuning.train(
                    "model.start: \(base.model)\ntrain: {lock_text: all, text_cache_megabytes: \(megabytes)}",
                    in: folder)
                #expect(result.status == 0, "\(result.errors)")
                return try FineTuning.losses(folder + "/run").map { try #require(Double($0)) }
            }
        }
        expectClose(curves[0], curves[1], absolute: 0, relative: 1e-5)
    }

    // MARK: Adapters

    @Test func adaptersChangeTheLayersThatTheyAreMergedInto() throws {
        let (changed, all, errors) = try FineTuning.changes(FineTuning.adapters)
        let layers = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"].map { $0 + ".weight" }
        let expected = all.filter { name in layers.contains { name.hasSuffix($0) } }
        #expect(expected.count == 24)
        #expect(changed == expected.union(["logit_scale"]))
        // A and B of rank 2 for four layers of 16 + 16 and two of 16 + 64, in four blocks; and the logit scale: 2305.
        #expect(errors.contains("trainable: 2305 of "), "\(errors)")
    }

    @Test func aTowerWithoutAdaptersTrainsWhole() throws {
        let (changed, all, _) = try FineTuning.changes("train.lora: {rank: 2, towers: [text], targets: [v]}")
        #expect(
            changed
                == all.filter {
                    !$0.hasPrefix("text_") || $0.hasSuffix("v_proj.weight")
                })
    }

    @Test func aKilledRunWithAdaptersGoesOnWithTheSameBits() throws {
        let base = try FineTuning.base.get()
        try withTemporaryFolder { folder in
            let keys = "model.start: \(base.model)\ntrain.ema_decay: 0.9\n" + FineTuning.adapters
            let whole = try FineTuning.train(keys, in: folder, output: "whole")
            #expect(whole.status == 0, "\(whole.errors)")
            // What a kill after step 6 of 8 leaves: the checkpoint of step 6 and no model.
            let killed = folder + "/killed"
            try FileManager.default.copyItem(atPath: folder + "/whole", toPath: killed)
            for name in ["checkpoints/step-8", "concord.json", "model.safetensors"] {
                try FileManager.default.removeItem(atPath: killed + "/" + name)
            }
            let checkpoint = try SafetensorsFile(path: killed + "/checkpoints/step-6/model.safetensors")
            // Adapters and the logit scale; the model's own weights are in the folder it started from.
            #expect(checkpoint.entries.count == 2 * 24 + 1)
            let resumed = try FineTuning.train(keys, in: folder, output: "killed", "--resume")
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(try FineTuning.losses(killed) == FineTuning.losses(folder + "/whole"))
            #expect(
                try Files.read(killed + "/model.safetensors") == Files.read(folder + "/whole/model.safetensors"))
        }
    }

    @Test func layersNearTheInputMoveLess() throws {
        let base = try FineTuning.base.get()
        let before = try FineTuning.weights(base.model)
        /// Mean change of a tensor over one step of AdamW, which is about the learning rate.
        func moved(_ decay: Double, _ name: String) throws -> Double {
            try withTemporaryFolder { folder in
                let result = try FineTuning.train(
                    "model.start: \(base.model)\ntrain: {layer_decay: \(decay), weight_decay: 0, epochs: 1, "
                        + "batch_size: 32, warmup_steps: 0}", in: folder)
                #expect(result.status == 0, "\(result.errors)")
                let (old, new) = try (#require(before[name]), #require(FineTuning.weights(folder + "/run")[name]))
                return Double(zip(old, new).map { abs($0 - $1) }.reduce(0, +)) / Double(old.count)
            }
        }
        let name = "vision_model.encoder.layers.0.self_attn.v_proj.weight"
        let ratio = try moved(0.5, name) / moved(1, name)
        #expect(abs(ratio - 0.25) < 0.01, "\(ratio)")
    }
}
