import ConcordCore
import ConcordTensor
import ConcordTestSupport
import ConcordTrain
import Foundation
import Testing

/// Whole runs of the program on several processes: the same run, however many take part, die or come back.
@Suite(.serialized) struct DistributedRunTests {
    private func train(
        _ recipe: String, _ output: String, _ more: [String] = [], in folder: String
    ) throws -> Program.Result {
        try Program.run(["train", recipe, "--output", output] + more, in: folder)
    }

    /// The loss of every step.
    private func losses(_ output: String) throws -> [Double] {
        try MetricsLog.read(output + "/metrics.jsonl").map { try #require($0["loss"]?.double) }
    }

    private func expectSame(_ losses: [Double], _ expected: [Double]) {
        #expect(losses.count == expected.count)
        for (loss, expected) in zip(losses, expected) {
            #expect(abs(loss - expected) <= 1e-5 * expected, "\(losses) against \(expected)")
        }
    }

    private func checkpoints(_ output: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: output + "/checkpoints")) ?? [])
            .filter { !$0.hasPrefix(".") }.sorted()
    }

    /// The places of processes that a test starts by itself.
    private func place(_ rank: Int, of worldSize: Int, port: Int) -> [String: String] {
        ["MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "\(port)", "RANK": "\(rank)", "WORLD_SIZE": "\(worldSize)"]
    }

    @Test func threeProcessesTakeTheStepsOfOne() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder)
            let alone = try train(recipe, folder + "/alone", in: folder)
            #expect(alone.status == 0, "\(alone.errors)")
            for (name, settings) in [("plain", []), ("sharded", ["--set", "train.shard_optimizer=true"])] {
                let output = folder + "/" + name
                let shared = try train(recipe, output, ["--processes", "3"] + settings, in: folder)
                #expect(shared.status == 0, "\(shared.errors)")
                // One process prints.
                #expect(shared.output == "model: \(output)\nreport: \(output)/report.html\n")
                if ProcessInfo.processInfo.activeProcessorCount < 3 {
                    #expect(shared.errors.contains("warning: 3 processes share"), "\(shared.errors)")
                }
                try expectSame(losses(output), losses(folder + "/alone"))
                #expect(checkpoints(output) == checkpoints(folder + "/alone"))
                let sent = try MetricsLog.read(output + "/metrics.jsonl").compactMap { $0["bytes_sent"]?.double }
                #expect(sent.count == 24 && sent.allSatisfy { $0 > 10_000 })
            }
            // Shared-out moments change no bit.
            let weights = try ["plain", "sharded"].map { try Files.read(folder + "/\($0)/model.safetensors") }
            #expect(weights[0] == weights[1])
        }
    }

    /// Killed on two processes, a run goes on with one and then with four.
    @Test func aRunGoesOnWithAnyNumberOfProcesses() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder, epochs: 100), output = folder + "/run"
            let alone = try train(recipe, folder + "/alone", in: folder)
            #expect(alone.status == 0, "\(alone.errors)")
            let settings = ["--set", "train.shard_optimizer=true"]
            let count = try losses(folder + "/alone").count

            let group = try Program.start(
                ["train", recipe, "--output", output, "--processes", "2"] + settings, in: folder)
            while group.isRunning, ((try? losses(output)) ?? []).count < 12 { usleep(1000) }
            kill(group.processIdentifier, SIGTERM)
            let stopped = try Program.finish(group, in: folder)
            #expect(stopped.status == 130, "\(stopped.errors)")
            #expect(stopped.output.contains("--processes 2 --resume"), "\(stopped.output)")
            let steps = try losses(output).count
            #expect(checkpoints(output).contains("step-\(steps)") && steps < count)

            let one = try Program.start(["train", recipe, "--output", output, "--resume"] + settings, in: folder)
            while one.isRunning, ((try? losses(output)) ?? []).count < steps + 12 { usleep(1000) }
            kill(one.processIdentifier, SIGKILL)
            _ = try Program.finish(one, in: folder)
            let four = try train(recipe, output, ["--resume", "--processes", "4"] + settings, in: folder)
            #expect(four.status == 0, "\(four.errors)")
            let (ours, whole) = (try losses(output), try losses(folder + "/alone"))
            #expect(ours.count == count)
            expectSame(Array(ours.prefix(60)), Array(whole.prefix(60)))
        }
    }

    /// A killed process ends the others, with an error that names it; the launcher starts all again.
    @Test(arguments: [0, 1]) func aKilledProcess(_ restarts: Int) throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder, epochs: restarts == 0 ? 20_000 : 60)
            let output = folder + "/run"
            let group = try Program.start(
                ["train", recipe, "--output", output, "--processes", "2", "--restarts", "\(restarts)"], in: folder)
            while group.isRunning, ((try? losses(output)) ?? []).count < 12 { usleep(1000) }
            let victim = try #require(Self.child(of: group.processIdentifier, rank: 1))
            kill(victim, SIGKILL)
            let result = try Program.finish(group, in: folder)
            #expect(result.errors.contains("rank 1 was ended by signal 9"), "\(result.errors)")
            if restarts == 0 {
                #expect(result.status == 128 + SIGKILL)
                #expect(!Files.exists(output + "/concord.json"))
            } else {
                #expect(result.status == 0)
                #expect(result.errors.contains("starting again with --resume (1 of 1)"))
                #expect(Files.exists(output + "/report.html"))
            }
        }
    }

    /// Processes that something else starts, as torchrun or srun do.
    @Test func aProcessWithoutALauncherEndsWithTheStatusForAnotherStart() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder, epochs: 20_000), output = folder + "/run"
            let port = try ProcessMembership.freePort(), folders = (0..<2).map { folder + "/\($0)" }
            let processes = try (0..<2).map { rank in
                try Files.makeFolder(folders[rank])
                return try Program.start(
                    ["train", recipe, "--output", output], in: folders[rank],
                    environment: place(rank, of: 2, port: port))
            }
            while processes[0].isRunning, ((try? losses(output)) ?? []).count < 12 { usleep(1000) }
            kill(processes[1].processIdentifier, SIGKILL)
            let result = try Program.finish(processes[0], in: folders[0])
            #expect(result.status == ProcessGroup.failureStatus)
            #expect(result.errors.contains("rank 1 is dead"), "\(result.errors)")
            // Nothing is half-written.
            #expect(try FileManager.default.contentsOfDirectory(atPath: output + "/checkpoints").count <= 2)
            for name in checkpoints(output) { #expect(Files.exists(output + "/checkpoints/\(name)/state.json")) }
        }
    }

    /// Processes that would not train the same run say so before they take a step.
    @Test(arguments: ["recipe", "data", "weights"]) func processesThatDisagree(_ what: String) throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder)
            var others = [recipe, recipe]
            if what == "data" {
                let other = try TinyData.write(to: folder + "/other")
                let captions = try String(contentsOfFile: folder + "/other/captions.jsonl", encoding: .utf8)
                try Files.replace(
                    folder + "/other/captions.jsonl", with: captions.replacing("a red square", with: "one red square"))
                // The same recipe, on a machine with another copy of the data.
                try Files.replace(
                    other, with: String(contentsOfFile: recipe, encoding: .utf8).replacing(folder, with: "."))
                try Files.replace(
                    recipe, with: String(contentsOfFile: recipe, encoding: .utf8).replacing(folder, with: "."))
                others[1] = other
            }
            if what == "weights" {
                let first = try train(recipe, folder + "/start", in: folder)
                #expect(first.status == 0)
                for name in ["a", "b"] {
                    try FileManager.default.createDirectory(
                        atPath: folder + "/" + name, withIntermediateDirectories: true)
                    try FileManager.default.copyItem(atPath: folder + "/start", toPath: folder + "/\(name)/start")
                }
                var bytes = try Files.read(folder + "/b/start/model.safetensors")
                bytes[bytes.count - 4] ^= 1
                try Data(bytes).write(to: URL(fileURLWithPath: folder + "/b/start/model.safetensors"))
                let text = """
                    data: {folder: \(folder), held_out_fraction: 0}
                    model: {start: start}
                    train: {epochs: 2, batch_size: 8, threads: 1}
                    """
                try Files.replace(recipe, with: text)
            }
            let results = try pair { rank, port in
                let own = folder + "/rank-\(rank)"
                try Files.makeFolder(own)
                var settings: [String] = []
                if what == "recipe", rank == 1 { settings = ["--set", "train.learning_rate=0.5"] }
                return try Program.start(
                    ["train", others[rank], "--output", folder + "/run"] + settings, in: own,
                    environment: place(rank, of: 2, port: port),
                    directory: what == "data"
                        ? (others[rank] as NSString).deletingLastPathComponent
                        : what == "weights" ? folder + (rank == 0 ? "/a" : "/b") : nil)
            } folder: {
                folder + "/rank-\($0)"
            }
            for result in results {
                #expect(result.status == 1, "\(result.errors)")
                let words = [
                    "recipe": "the recipe differs", "data": "the caption file differs", "weights": "weights differs",
                ]
                let word = try #require(words[what])
                #expect(result.errors.contains(word), "\(result.errors)")
            }
            #expect(!Files.exists(folder + "/run/metrics.jsonl"))
        }
    }

    /// Starts two processes and waits for both.
    private func pair(
        _ start: (Int, Int) throws -> Process, folder: (Int) -> String
    ) throws -> [Program.Result] {
        let port = try ProcessMembership.freePort()
        let processes = try (0..<2).map { try start($0, port) }
        return try processes.enumerated().map { try Program.finish($1, in: folder($0)) }
    }

    @Test func aBatchSmallerThanTheGroup() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder)
            let result = try train(
                recipe, folder + "/run", ["--processes", "3", "--set", "train.batch_size=2"], in: folder)
            #expect(result.status == 1)
            #expect(result.errors.contains("a batch of 2 images is too small for 3 processes"), "\(result.errors)")
            // All have the same error, which is printed once.
            #expect(result.errors.components(separatedBy: "too small").count == 2, "\(result.errors)")
        }
    }

    /// One process that has no such device ends all; the error is its own.
    @Test func aRankWithoutAGPU() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder)
            let results = try pair { rank, port in
                let own = folder + "/rank-\(rank)"
                try Files.makeFolder(own)
                return try Program.start(
                    ["train", recipe, "--output", folder + "/run"]
                        + (rank == 1 ? ["--set", "train.device=cuda"] : []), in: own,
                    environment: place(rank, of: 2, port: port))
            } folder: {
                folder + "/rank-\($0)"
            }
            #expect(results[1].status == 1 && results[1].errors.contains("cuda"), "\(results[1].errors)")
            #expect(results[0].status == ProcessGroup.failureStatus, "\(results[0].errors)")
            #expect(results[0].errors.contains("rank 1 failed") && results[0].errors.contains("cuda"))
        }
    }

    @Test func worldSizeWithoutRank() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder)
            let process = try Program.start(
                ["train", recipe, "--output", folder + "/run"], in: folder, environment: ["WORLD_SIZE": "2"])
            let result = try Program.finish(process, in: folder)
            #expect(result.status == 1 && result.errors.contains("RANK is not set"), "\(result.errors)")
        }
    }

    /// The launcher's end, however it comes, is the end of its processes.
    @Test func aKilledLauncherLeavesNothingRunning() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder, epochs: 20_000), output = folder + "/run"
            let group = try Program.start(["train", recipe, "--output", output, "--processes", "2"], in: folder)
            while group.isRunning, ((try? losses(output)) ?? []).count < 12 { usleep(1000) }
            let children = try (0..<2).map { try #require(Self.child(of: group.processIdentifier, rank: $0)) }
            kill(group.processIdentifier, SIGKILL)
            _ = try Program.finish(group, in: folder)
            for child in children { while kill(child, 0) == 0 { usleep(1000) } }
            let steps = try losses(output).count
            #expect(checkpoints(output).contains("step-\(steps)"))
        }
    }

    /// The process of a rank that a launcher started.
    private static func child(of launcher: pid_t, rank: Int) -> pid_t? {
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(launcher)/task")) ?? []
        let children = threads.flatMap { thread in
            let path = "/proc/\(launcher)/task/\(thread)/children"
            return ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: " ")
        }
        return children.compactMap { pid_t($0) }.first { child in
            let environment = (try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(child)/environ"))) ?? Data()
            return environment.split(separator: 0).contains { String(decoding: $0, as: UTF8.self) == "RANK=\(rank)" }
        }
    }
}
