import ConcordCore
import ConcordTestSupport
import ConcordTrain
import Foundation
import Testing

/// Runs that are told to stop, in every way and at every moment, keep what they have learnt.
@Suite(.serialized) struct StoppingTests {
    private static let settings = ["--set", "train.checkpoint_every=1000000"]

    private func steps(_ output: String) -> Int { ((try? MetricsLog.read(output + "/metrics.jsonl")) ?? []).count }

    private func checkpoints(_ output: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: output + "/checkpoints")) ?? [])
            .filter { !$0.hasPrefix(".") }.sorted()
    }

    /// Waits until something is so, or the program has ended.
    private func wait(_ process: Process, until isSo: () -> Bool) { while process.isRunning, !isSo() { usleep(1000) } }

    /// Starts a run that would take very long, stops it by `stop` after some steps, and returns how it ended.
    private func stopped(
        in folder: String, through shell: String? = nil, _ stop: (pid_t) -> Void
    ) throws -> Program.Result {
        let recipe = try TinyData.write(to: folder, epochs: 20_000), output = folder + "/run"
        let arguments = ["train", recipe, "--output", output] + Self.settings
        let process =
            try shell.map {
                try Program.start(["-c", $0, "bash", Program.path] + arguments, executable: "/bin/bash", in: folder)
            } ?? Program.start(arguments, in: folder)
        wait(process) { steps(output) >= 6 }
        stop(process.processIdentifier)
        return try Program.finish(process, in: folder)
    }

    private func expectSaved(_ result: Program.Result, _ folder: String) {
        #expect(!result.isKilled && result.status == 130, "\(result.errors)")
        #expect(result.output.contains("--resume"), "\(result.output)")
        let count = steps(folder + "/run"), saved = checkpoints(folder + "/run")
        #expect(count >= 6 && saved == ["step-\(count)"], "\(count) steps, \(saved)")
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP]) func everySignalSaves(_ signal: Int32) throws {
        try withTemporaryFolder { folder in
            expectSaved(try stopped(in: folder) { kill($0, signal) }, folder)
        }
    }

    @Test(arguments: [[SIGTERM, SIGTERM], [SIGINT, SIGINT], [SIGTERM, SIGHUP], [SIGTERM, SIGTERM, SIGTERM]])
    func signalsInQuickSuccessionAreOneRequest(_ signals: [Int32]) throws {
        // `timeout` signals its child and then the child's group, which the child is in.
        try withTemporaryFolder { folder in
            let result = try stopped(in: folder) { process in
                for signal in signals {
                    kill(process, signal)
                    usleep(300)
                }
            }
            expectSaved(result, folder)
        }
    }

    @Test func aClosedPipeBehindTheProgramLosesNothing() throws {
        // As `concord train … 2>&1 | tee log`, where Ctrl-C ends the `tee` first.
        try withTemporaryFolder { folder in
            let result = try stopped(in: folder, through: "exec \"$@\" 2> >(exit)") { kill($0, SIGTERM) }
            expectSaved(result, folder)
        }
    }

    @Test func underNohupTheEndOfTheTerminalIsIgnored() throws {
        try withTemporaryFolder { folder in
            let result = try stopped(in: folder, through: "trap '' HUP; exec \"$@\"") { process in
                kill(process, SIGHUP)
                let count = steps(folder + "/run")
                while kill(process, 0) == 0, steps(folder + "/run") < count + 5 { usleep(1000) }
                kill(process, SIGTERM)
            }
            expectSaved(result, folder)
        }
    }

    /// Makes the picture one that nothing can be read from until ``release(_:)``.
    private func block(_ picture: String) throws {
        try FileManager.default.moveItem(atPath: picture, toPath: picture + ".kept")
        try #require(mkfifo(picture, 0o600) == 0)
    }

    /// Lets the reader go on, which finds a picture that is empty, and puts the picture back.
    private func release(_ picture: String, _ process: Process) throws {
        while process.isRunning {
            let descriptor = open(picture, O_WRONLY | O_NONBLOCK)
            if descriptor >= 0 { close(descriptor) }
            usleep(1000)
        }
        try FileManager.default.removeItem(atPath: picture)
        try FileManager.default.moveItem(atPath: picture + ".kept", toPath: picture)
    }

    @Test func aLoaderThatWaitsForADiskDoesNotKeepTheRunFromSaving() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder, epochs: 20_000), output = folder + "/run"
            let picture = folder + "/images/red-white.png"
            let process = try Program.start(
                ["train", recipe, "--output", output, "--set", "data.cache_megabytes=0"] + Self.settings, in: folder)
            wait(process) { steps(output) >= 6 }
            try block(picture)
            // Four batches are made ahead, and the picture is in one of the next four.
            var last = -1
            wait(process) {
                defer { last = steps(output) }
                usleep(200_000)
                return last == steps(output)
            }
            kill(process.processIdentifier, SIGTERM)
            wait(process) { !checkpoints(output).isEmpty }
            let saved = checkpoints(output)
            #expect(process.isRunning && saved == ["step-\(steps(output))"], "\(saved)")
            try release(picture, process)
            expectSaved(try Program.finish(process, in: folder), folder)
        }
    }

    @Test func aRunThatIsStoppedWhileItMeasuresHasItsModelAndGoesOnWithMeasuring() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder, epochs: 100), output = folder + "/run"
            let picture = folder + "/images/red-white.png"
            let process = try Program.start(["train", recipe, "--output", output], in: folder)
            // From the second epoch on pictures come from memory, until they are embedded for the report.
            wait(process) { steps(output) >= 10 }
            try block(picture)
            wait(process) { Files.exists(output + "/concord.json") }
            kill(process.processIdentifier, SIGTERM)
            usleep(300_000)
            try release(picture, process)
            let result = try Program.finish(process, in: folder)
            #expect(!result.isKilled && result.status == 130, "\(result.errors)")
            #expect(result.errors.contains("the model is saved"), "\(result.errors)")
            #expect(!Files.exists(output + "/report.html") && checkpoints(output).contains("step-400"))
            let resumed = try Program.run(["train", recipe, "--output", output, "--resume"], in: folder)
            #expect(resumed.status == 0 && Files.exists(output + "/report.html"), "\(resumed.errors)")
        }
    }

    @Test func aPictureThatIsGoneEndsTheRunButLosesNoStep() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder, epochs: 20_000), output = folder + "/run"
            let process = try Program.start(
                ["train", recipe, "--output", output, "--set", "data.cache_megabytes=0"] + Self.settings, in: folder)
            wait(process) { steps(output) >= 6 }
            try FileManager.default.removeItem(atPath: folder + "/images/red-white.png")
            let result = try Program.finish(process, in: folder)
            #expect(result.status == 1 && result.errors.contains("red-white.png"), "\(result.errors)")
            #expect(checkpoints(output) == ["step-\(steps(output))"])
        }
    }

    @Test func checkpointsComeByTime() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder, epochs: 6)
            // A time that every step takes, and one that none does.
            for (minutes, expected) in [
                ("1e-9", ["step-23", "step-24"]), ("100000", ["step-24"]), ("0", ["step-24"]),
            ] {
                let output = folder + "/run-\(minutes)"
                let result = try Program.run(
                    ["train", recipe, "--output", output, "--set", "train.checkpoint_minutes=\(minutes)"]
                        + Self.settings, in: folder)
                #expect(result.status == 0 && checkpoints(output) == expected, "\(minutes): \(result.errors)")
            }
        }
    }
}
