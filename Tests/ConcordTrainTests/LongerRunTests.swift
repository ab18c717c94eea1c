import ConcordCore
import ConcordNN
import ConcordTestSupport
import ConcordTrain
import Foundation
import Testing

/// Runs that go on for more epochs than they were planned for.
@Suite struct LongerRunTests {
    private func train(_ folder: String, _ output: String, _ more: String...) throws -> Program.Result {
        try Program.run(["train", folder + "/recipe.yaml", "--output", "\(folder)/\(output)"] + more, in: folder)
    }

    private func rates(_ output: String) throws -> [Double] {
        try MetricsLog.read(output + "/metrics.jsonl").map { try #require($0["learning_rate"]?.double) }
    }

    private func model(_ output: String) throws -> [UInt8] { try Files.read(output + "/model.safetensors") }

    /// A finished run of 6 epochs, 24 steps.
    private func withFinishedRun(_ body: (_ folder: String, _ output: String) throws -> Void) throws {
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder)
            let result = try train(folder, "run")
            try #require(result.status == 0, "\(result.errors)")
            try body(folder, folder + "/run")
        }
    }

    @Test func aFinishedRunGoesOnAsIfItHadBeenPlannedSo() throws {
        try withFinishedRun { folder, output in
            let before = try model(output)
            try FileManager.default.copyItem(atPath: output, toPath: folder + "/other")
            let result = try train(folder, "run", "--epochs-more", "3")
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.errors.contains("9 epochs instead of 6: 12 more steps"), "\(result.errors)")
            #expect(result.errors.contains("cosine of all 36 steps"), "\(result.errors)")
            let short = LearningRateSchedule(.cosine, peak: 1e-3, warmupSteps: 2, totalSteps: 24)
            let long = LearningRateSchedule(.cosine, peak: 1e-3, warmupSteps: 2, totalSteps: 36)
            let expected = (0..<36).map { $0 < 24 ? short($0) : long($0) }
            expectClose(try rates(output), expected, absolute: 1e-12)
            let after = try model(output)
            #expect(after != before)
            // The other way to say it comes to the same bits, and so does what is stopped and goes on.
            let other = try train(folder, "other", "--resume", "--set", "train.epochs=9")
            #expect(other.status == 0, "\(other.errors)")
            #expect(try model(folder + "/other") == after)
        }
    }

    @Test func aLongerRunThatIsStoppedGoesOnToItsNewEnd() throws {
        try withFinishedRun { folder, output in
            try FileManager.default.copyItem(atPath: output, toPath: folder + "/whole")
            let whole = try train(folder, "whole", "--epochs-more", "500")
            #expect(whole.status == 0, "\(whole.errors)")
            let process = try Program.start(
                ["train", folder + "/recipe.yaml", "--output", output, "--epochs-more", "500"], in: folder)
            while process.isRunning, (try? rates(output).count) ?? 0 < 40 { usleep(1000) }
            process.terminate()
            let stopped = try Program.finish(process, in: folder)
            #expect(stopped.status == 130 && !stopped.output.contains("epochs-more"), "\(stopped.output)")
            let resumed = try train(folder, "run", "--resume")
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(try rates(output).count == 506 * 4)
            #expect(try model(output) == model(folder + "/whole"))
        }
    }

    @Test func theOptimizerGoesOnAsItWas() throws {
        // At a constant rate a run in two parts takes the steps of the whole one, which it can only with its moments.
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder)
            let constant = ["--set", "train.schedule=constant"]
            func run(_ output: String, _ more: [String]) throws {
                let result = try Program.run(
                    ["train", folder + "/recipe.yaml", "--output", "\(folder)/\(output)"] + constant + more, in: folder)
                #expect(result.status == 0, "\(result.errors)")
            }
            try run("parts", [])
            try run("parts", ["--epochs-more", "6"])
            try run("whole", ["--set", "train.epochs=12"])
            #expect(try model(folder + "/parts") == model(folder + "/whole"))
        }
    }

    @Test func aRunGetsNoShorterAndStaysTheSameOtherwise() throws {
        try withFinishedRun { folder, output in
            let shorter = try train(folder, "run", "--resume", "--set", "train.epochs=3")
            #expect(shorter.status == 1 && shorter.errors.contains("train.epochs=6"), "\(shorter.errors)")
            let other = try train(folder, "run", "--epochs-more", "3", "--set", "train.learning_rate=1e-4")
            #expect(other.status == 1 && other.errors.contains("learning_rate"), "\(other.errors)")
            // As it was, it is only measured again.
            try FileManager.default.removeItem(atPath: output + "/report.html")
            let before = try model(output), again = try train(folder, "run", "--resume")
            #expect(again.status == 0 && Files.exists(output + "/report.html"), "\(again.errors)")
            #expect(try model(output) == before)
        }
    }

    @Test func aFinishedRunWithoutCheckpointsIsNotTrainedOver() throws {
        try withFinishedRun { folder, output in
            let before = try model(output)
            try FileManager.default.removeItem(atPath: output + "/checkpoints")
            for more in [["--resume"], ["--epochs-more", "2"]] {
                let result = try Program.run(
                    ["train", folder + "/recipe.yaml", "--output", output] + more, in: folder)
                #expect(result.status == 1 && result.errors.contains("model.start"), "\(result.errors)")
            }
            #expect(try model(output) == before)
            let missing = try train(folder, "new", "--epochs-more", "2")
            #expect(missing.status == 1 && missing.errors.contains("no checkpoint"), "\(missing.errors)")
            #expect(!Files.exists(folder + "/new"))
            let none = try train(folder, "run", "--epochs-more", "0")
            #expect(none.status == 64)
        }
    }
}
