import ArgumentParser
import Concord
import Foundation

/// Starts the processes of a group on this machine, copies of this program, and ends as they end.
///
/// What rank 0 prints is what the terminal shows. The others are silent; when they fail, the launcher prints the one
/// error that is the cause. It ends all when one has failed, and passes signals on. Should it be killed itself, its
/// processes save and stop.
struct ProcessLauncher {
    let processCount: Int
    /// How often the group starts again after one of its processes died.
    let restarts: Int
    /// The arguments of each process, at the first start and at a restart.
    let arguments, restartArguments: [String]

    /// Seconds that the others get to end by themselves after one has failed: their hearts find the dead one, and what is
    /// being written is completed.
    private static let patience = 15.0

    /// Runs the group to its end.
    ///
    /// - Throws: the exit code of the process that failed first, its error printed; 130 after a signal.
    func run() throws {
        let cores = ProcessInfo.processInfo.activeProcessorCount
        if processCount > cores {
            Message.warn([
                "\(processCount) processes share \(cores) core\(cores == 1 ? "" : "s"); they will be slower than "
                    + "\(cores)"
            ])
        }
        InterruptSignal.listen()
        for start in 0...restarts {
            let folder = FileManager.default.temporaryDirectory.path + "/concord-processes-" + UUID().uuidString
            try Files.makeFolder(folder)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let group = try RunningGroup(start == 0 ? arguments : restartArguments, count: processCount, folder: folder)
            let failed = group.wait(patience: Self.patience)
            guard let failed else { return }
            let report = group.report(of: failed)
            guard failed.isDead, start < restarts, !InterruptSignal.hasArrived else {
                if let report { Message.note("Error: \(report)") }
                throw ExitCode(failed.status)
            }
            Message.note(
                "warning: \(report ?? "a process died"); starting again with --resume (\(start + 1) of \(restarts))")
        }
    }
}

/// The side of a process that a launcher started.
enum LaunchedProcess {
    /// The variable with the folder in which a process leaves its error.
    static let variable = "CONCORD_LAUNCHER"

    private static var folder: String? { ProcessInfo.processInfo.environment[variable] }

    static var isOne: Bool { folder != nil }

    /// The number of processes that the launcher started; nil where there is none.
    static var count: String? { isOne ? ProcessInfo.processInfo.environment["WORLD_SIZE"] : nil }

    /// Stops this process, as SIGTERM does, when the launcher is gone: its end of standard input closes.
    static func followLauncher() throws {
        guard isOne else { return }
        try SystemThread.start(name: "launcher") {
            var byte: UInt8 = 0
            while true {
                let count = read(STDIN_FILENO, &byte, 1)
                if count > 0 || (count < 0 && errno == EINTR) { continue }
                kill(getpid(), SIGTERM)
                return
            }
        }
    }

    /// Leaves an error for the launcher, which prints that of one process.
    ///
    /// - Returns: whether there is a launcher.
    static func report(_ message: String) -> Bool {
        guard let folder, let rank = ProcessInfo.processInfo.environment["RANK"] else { return false }
        return (try? Files.replace("\(folder)/\(rank).error", with: message)) != nil
    }
}

/// The end of a process because another one of its group died: status 75, "start me again".
struct LostProcess: Error {
    let message: String
}

/// The processes of one start of a group.
private struct RunningGroup {
    /// How a process failed.
    struct Failure {
        let rank: Int
        /// As a shell tells it: 128 and the number of the signal.
        let status: Int32
        /// Whether the process was killed, or ended because another one died; not by an error of its own, which would
        /// come again.
        let isDead: Bool
    }

    private let processes: [Process]
    /// Where the processes leave their output and their errors.
    private let folder: String
    /// Closes when this process ends, however it ends.
    private let lifelines: [Pipe]

    init(_ arguments: [String], count: Int, folder: String) throws {
        let port = try ProcessMembership.freePort()
        var processes: [Process] = [], lifelines: [Pipe] = []
        self.folder = folder
        for rank in 0..<count {
            let process = Process(), lifeline = Pipe()
            process.executableURL = Bundle.main.executableURL
            process.arguments = arguments
            let variables = [
                "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "\(port)", "RANK": "\(rank)", "WORLD_SIZE": "\(count)",
                "LOCAL_RANK": "\(rank)", "LOCAL_WORLD_SIZE": "\(count)", LaunchedProcess.variable: folder,
            ]
            process.environment = ProcessInfo.processInfo.environment.merging(variables) { $1 }
            process.standardInput = lifeline
            if rank > 0 {
                let log = "\(folder)/\(rank).log"
                try Files.replace(log, with: "")
                let file = FileHandle(forWritingAtPath: log)
                process.standardOutput = file
                process.standardError = file
            }
            do { try process.run() } catch {
                for process in processes { kill(process.processIdentifier, SIGKILL) }
                throw error
            }
            processes.append(process)
            lifelines.append(lifeline)
        }
        self.processes = processes
        self.lifelines = lifelines
    }

    /// Waits for the end of all processes, and ends them when one has failed.
    ///
    /// - Returns: the failure that came first, of those with a cause of their own if there is one; nil if all ended well.
    func wait(patience: Double) -> Failure? {
        var failures: [Failure] = [], ended: Set<Int> = [], deadline: ContinuousClock.Instant?
        var hasPassedSignal = false
        while ended.count < processes.count {
            if InterruptSignal.hasArrived, !hasPassedSignal {
                // Ctrl-C has reached them by itself; they take both for one request.
                signalAll(SIGTERM)
                hasPassedSignal = true
            }
            for (rank, process) in processes.enumerated() where !ended.contains(rank) && !process.isRunning {
                ended.insert(rank)
                let isKilled = process.terminationReason == .uncaughtSignal, status = process.terminationStatus
                guard isKilled || status != 0 else { continue }
                failures.append(
                    Failure(
                        rank: rank, status: isKilled ? 128 + status : status,
                        isDead: isKilled || status == ProcessGroup.failureStatus))
                if deadline == nil { deadline = ContinuousClock.now + .seconds(patience) }
            }
            if let limit = deadline, ContinuousClock.now > limit {
                // What these end with is no failure of theirs.
                signalAll(SIGKILL)
                for process in processes { process.waitUntilExit() }
                break
            }
            Thread.sleep(forTimeInterval: 0.02)
        }
        return failures.first { $0.status != ProcessGroup.failureStatus } ?? failures.first
    }

    private func signalAll(_ signal: Int32) {
        for process in processes where process.isRunning { kill(process.processIdentifier, signal) }
    }

    /// What a process says of its failure; nil after a signal, which is none.
    func report(of failure: Failure) -> String? {
        if failure.status == 130 { return nil }
        if let message = try? String(contentsOfFile: "\(folder)/\(failure.rank).error", encoding: .utf8) {
            let isCommon = processes.indices.allSatisfy { rank in
                (try? String(contentsOfFile: "\(folder)/\(rank).error", encoding: .utf8)) == message
            }
            return (isCommon || failure.status == ProcessGroup.failureStatus ? "" : "rank \(failure.rank): ") + message
        }
        let how =
            failure.status > 128
            ? "was ended by signal \(failure.status - 128)" : "ended with status \(failure.status)"
        let log = (try? String(contentsOfFile: "\(folder)/\(failure.rank).log", encoding: .utf8)) ?? ""
        let lines = log.split(separator: "\n").suffix(10).map { "\n  \($0)" }.joined()
        return "rank \(failure.rank) \(how)" + (lines.isEmpty ? "" : "; its last lines:\(lines)")
    }
}
