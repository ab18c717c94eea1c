import ConcordCheckpoint
import ConcordCore
import ConcordTestSupport
import ConcordTrain
import Foundation
import Testing

/// Whole runs of the program on tiny data.
@Suite struct TrainingRunTests {
    private func train(_ recipe: String, _ folder: String, _ output: String, _ more: String...) throws -> Program.Result
    {
        try Program.run(["train", recipe, "--output", output] + more, in: folder)
    }

    /// The loss of every step, as it was written.
    private func losses(_ output: String) throws -> [String] {
        try MetricsLog.read(output + "/metrics.jsonl").map { try #require($0["loss"]?.text()) }
    }

    private func checkpoints(_ output: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: output + "/checkpoints").sorted()
    }

    @Test func aRunLeavesAModelAReportAndItsCurves() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder), output = folder + "/run"
            let result = try train(recipe, folder, output)
            #expect(result.status == 0, "\(result.errors)")
            for name in [
                "model.safetensors", "config.json", "tokenizer.json", "preprocessor_config.json", "concord.json",
                "recipe.yaml", "metrics.jsonl", "skipped.jsonl", "report.html",
            ] {
                #expect(Files.exists(output + "/" + name), "\(name)")
            }
            let steps = try losses(output).count
            #expect(steps == 24)
            // Every fifth step and the last; the newest two are kept.
            let kept = try checkpoints(output)
            #expect(kept == ["step-20", "step-24"])
            try ModelManifest(folder: output).verifyHashes(folder: output)
            let report = try String(contentsOfFile: output + "/report.html", encoding: .utf8)
            #expect(report.contains("<svg") && report.contains("R@1"))
            // Nothing is fetched when the page is opened.
            #expect(!report.contains("src=\"http") && !report.contains("href="))
            let events = try FileManager.default.contentsOfDirectory(atPath: output + "/events")
            #expect(events.count == 1)
            // The same folder is not trained over.
            let again = try train(recipe, folder, output)
            #expect(again.status == 1 && again.errors.contains("--resume"))
        }
    }

    @Test func aKilledRunGoesOnWithTheSameBits() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder, epochs: 400)
            let whole = try train(recipe, folder, folder + "/whole")
            #expect(whole.status == 0, "\(whole.errors)")

            let output = folder + "/killed"
            let process = try Program.start(["train", recipe, "--output", output], in: folder)
            // Somewhere after the second checkpoint, wherever that catches it.
            while process.isRunning, ((try? losses(output)) ?? []).count < 12 { usleep(1000) }
            kill(process.processIdentifier, SIGKILL)
            let killed = try Program.finish(process, in: folder)
            #expect(killed.isKilled, "the run ended before it could be killed")
            let resumed = try train(recipe, folder, output, "--resume")
            #expect(resumed.status == 0, "\(resumed.errors)")

            let curves = try (losses(output), losses(folder + "/whole"))
            #expect(curves.0 == curves.1)
            let weights = try ["whole", "killed"].map { try Files.read(folder + "/\($0)/model.safetensors") }
            #expect(weights[0] == weights[1])
        }
    }

    @Test func controlCSavesAndSaysHowToGoOn() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder, epochs: 20_000), output = folder + "/run"
            let process = try Program.start(["train", recipe, "--output", output], in: folder)
            while process.isRunning, ((try? losses(output)) ?? []).count < 3 { usleep(1000) }
            process.interrupt()
            let result = try Program.finish(process, in: folder)
            #expect(result.status == 130)
            #expect(result.output.contains("--resume"))
            let steps = try losses(output).count
            let saved = try checkpoints(output)
            #expect(saved.contains("step-\(steps)"))
        }
    }

    @Test func aFullDiskWhileSavingKeepsTheOlderCheckpoint() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder, epochs: 3), output = folder + "/run"
            let arguments = ["train", recipe, "--set", "train.checkpoint_every=4", "--output", output]
            // A limit on file sizes stands in for a full disk: writes fail beyond it, here in the second checkpoint.
            let limited = "trap '' XFSZ; ulimit -f 60; exec \"$@\""
            _ = try Program.run(arguments, in: folder)
            let kept = try Files.read(output + "/checkpoints/step-8/model.safetensors")
            try FileManager.default.removeItem(atPath: output + "/checkpoints/step-12")
            try FileManager.default.removeItem(atPath: output + "/concord.json")
            let result = try Program.run(
                ["-c", limited, "sh", Program.path] + arguments + ["--resume"], executable: "/bin/sh", in: folder)
            #expect(result.status == 1)
            #expect(result.errors.contains("step-12"), "\(result.errors)")
            let left = try checkpoints(output)
            #expect(left == ["step-8"])
            let after = try Files.read(output + "/checkpoints/step-8/model.safetensors")
            #expect(after == kept)
            let resumed = try Program.run(arguments + ["--resume"], in: folder)
            #expect(resumed.status == 0)
        }
    }

    @Test func anotherRecipeIsNotResumed() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder, epochs: 1), output = folder + "/run"
            let first = try train(recipe, folder, output)
            #expect(first.status == 0)
            let result = try train(recipe, folder, output, "--resume", "--set", "train.learning_rate=0.5")
            #expect(result.status == 1 && result.errors.contains("another recipe"), "\(result.errors)")
        }
    }

    @Test(arguments: ["missing", "extra", "misshapen"])
    func aDamagedModelIsNamed(_ damage: String) throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder, epochs: 1), output = folder + "/run"
            let first = try train(recipe, folder, output)
            #expect(first.status == 0)
            let file = try SafetensorsFile(path: output + "/model.safetensors")
            var tensors = try file.entries.map { entry in
                let values = try file.withUnsafeBytes(of: entry) { Array($0.bindMemory(to: Float.self)) }
                return SafetensorsTensor(entry.name, entry.dtype, entry.shape, values: values)
            }
            let last = try #require(tensors.last { $0.shape == [16] })
            switch damage {
            case "missing": tensors.removeAll { $0.name == last.name }
            case "extra":
                tensors.append(SafetensorsTensor("stranger.weight", .float32, [2], values: [1, 2] as [Float]))
            default:
                tensors.removeAll { $0.name == last.name }
                tensors.append(
                    SafetensorsTensor(last.name, .float32, [4, 4], values: [Float](repeating: 0, count: 16)))
            }
            try SafetensorsWriter.write(to: output + "/model.safetensors", tensors: tensors)
            let result = try Program.run(["evaluate", "--model", output, "--data", folder], in: folder)
            #expect(result.status == 1)
            #expect(result.errors.contains(damage == "extra" ? "stranger.weight" : last.name), "\(result.errors)")
            #expect(damage != "misshapen" || result.errors.contains("[4, 4]"))
        }
    }
}
