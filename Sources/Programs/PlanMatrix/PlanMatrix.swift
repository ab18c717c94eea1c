import ArgumentParser
import ConcordCore
import ConcordTensor
import Foundation

/// Shows that every plan gives one loss and one gradient: the table that `make bench` prints and the tests check.
///
/// Two towers with dropout embed a batch whose last chunk and last process are smaller than the others. Each cell runs
/// a loss under a plan in a world of processes on this machine, and compares the loss and the gradients of both towers,
/// logit scale and bias with those of one process in float64 that holds everything at once.
@main
struct PlanMatrix: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan-matrix",
        abstract: "Compare every execution plan with the one-process float64 reference.")

    @Option(help: "Worlds of so many processes.") var worlds: [Int] = [1, 2, 4]
    @Flag(help: "Compare whole runs of training instead of single losses.") var runs = false
    @Flag(help: "With --runs: every recipe once.") var small = false
    @Flag(help: "One JSON line for each cell.") var json = false
    @Option(help: .hidden) var worker: String?
    @Option(help: .hidden) var scenario: GroupScenario?

    func run() throws {
        TorchRuntime.threadCount = 1
        if let worker {
            if runs { try RunWorker(folder: worker, isSmall: small).run() } else { try Worker(folder: worker).run() }
            return
        }
        if let scenario {
            try scenario.run()
            return
        }
        if runs {
            try compareRuns()
            return
        }
        let rows = try worlds.flatMap { try World(size: $0).compare() }
        if json {
            for row in rows { print(row.json.text()) }
        } else {
            MatrixTable(rows).print()
        }
    }

    private func compareRuns() throws {
        var references: [RunCell: (losses: [Double], weights: [(String, Tensor)])] = [:]
        let rows = try worlds.flatMap { try RunWorld(size: $0, isSmall: small).compare(&references) }
        if json {
            for row in rows { print(row.json.text()) }
        } else {
            RunTable(rows).print()
        }
    }
}
