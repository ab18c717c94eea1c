import ConcordCore
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// Groups of real processes, of which one dies or stops: `GroupScenario` of the program `PlanMatrix`.
@Suite(.serialized) struct DeadProcessTests {
    /// The processes of a group, each with its output in a folder of its own.
    private struct Running {
        let processes: [Process]
        let folders: [String]

        init(_ scenario: String, count: Int, in folder: String) throws {
            let port = try ProcessMembership.freePort()
            let path = (Program.path as NSString).deletingLastPathComponent + "/PlanMatrix"
            folders = (0..<count).map { "\(folder)/\($0)" }
            processes = try folders.enumerated().map { rank, folder in
                try Files.makeFolder(folder)
                return try Program.start(
                    ["--scenario", scenario], executable: path, in: folder,
                    environment: [
                        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "\(port)", "RANK": "\(rank)",
                        "WORLD_SIZE": "\(count)",
                    ])
            }
        }

        /// Waits until every process has taken some steps.
        func waitUntilReady() throws {
            for (process, folder) in zip(processes, folders) {
                while try !String(contentsOfFile: folder + "/output", encoding: .utf8).contains("ready") {
                    try #require(process.isRunning)
                    Thread.sleep(forTimeInterval: 0.01)
                }
            }
        }

        func finish(_ rank: Int) throws -> Program.Result { try Program.finish(processes[rank], in: folders[rank]) }
    }

    /// All survivors name the same process, whichever it is; rank 0 keeps the store at which all meet.
    @Test(arguments: [0, 1, 2]) func aKilledRankEndsAllOthers(_ victim: Int) throws {
        try withTemporaryFolder { folder in
            let running = try Running("training", count: 3, in: folder)
            try running.waitUntilReady()
            kill(running.processes[victim].processIdentifier, SIGKILL)
            for rank in 0..<3 where rank != victim {
                let result = try running.finish(rank)
                #expect(result.status == ProcessGroup.failureStatus)
                #expect(result.errors.contains("rank \(victim) is dead"), "\(result.errors)")
            }
        }
    }

    /// A process that is stopped keeps its connections, and is found by its silence.
    @Test(arguments: [0, 1]) func aStoppedRankEndsAllOthers(_ victim: Int) throws {
        try withTemporaryFolder { folder in
            let running = try Running("training", count: 3, in: folder)
            try running.waitUntilReady()
            kill(running.processes[victim].processIdentifier, SIGSTOP)
            for rank in 0..<3 where rank != victim {
                let result = try running.finish(rank)
                #expect(result.status == ProcessGroup.failureStatus)
                #expect(
                    result.errors.contains("rank \(victim)") && result.errors.contains("stopped"), "\(result.errors)")
            }
            // It goes on, and finds itself alone.
            kill(running.processes[victim].processIdentifier, SIGCONT)
            let last = try running.finish(victim)
            #expect(last.status == ProcessGroup.failureStatus, "\(last)")
        }
    }

    /// Who computes without the others for longer than a heart may be silent is not dead.
    @Test func aBusyRankIsWaitedFor() throws {
        try withTemporaryFolder { folder in
            let running = try Running("evaluation", count: 2, in: folder)
            for rank in 0..<2 {
                let result = try running.finish(rank)
                #expect(result.status == 0, "\(result.errors)")
            }
        }
    }

    /// Who is busy and needs nobody ends all the same.
    @Test func aBusyRankDoesNotOutliveTheOthers() throws {
        try withTemporaryFolder { folder in
            let running = try Running("busy", count: 2, in: folder)
            try running.waitUntilReady()
            kill(running.processes[1].processIdentifier, SIGKILL)
            let result = try running.finish(0)
            #expect(result.status == ProcessGroup.failureStatus)
            #expect(result.errors.contains("rank 1 is dead or stopped"), "\(result.errors)")
        }
    }
}
