import ConcordCore
import ConcordRuntime
import Foundation
import Testing

@Suite struct OnnxConcurrencyTests {
    @Test func manyTasksAndThreadsGetTheirOwnResults() async throws {
        let options = OnnxSessionOptions(threadsPerRun: 2)
        let session = try OnnxSession(bytes: SmallModels.linear(), options: options)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<32 {
                group.addTask {
                    for step in 0..<50 {
                        let batch = 1 + (task + step) % 5
                        let x = (0..<3 * batch).map { Float(task * 100 + step + $0) }
                        let inputs = ["x": try OnnxValue(x, shape: [batch, 3])]
                        let y = try session.run(inputs)
                        #expect(try y["y"]?.values() == SmallModels.linear(x))
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func theSameRunGivesTheSameBitsFromEveryThread() async throws {
        let options = OnnxSessionOptions(threadsPerRun: 2)
        let session = try OnnxSession(bytes: SmallModels.long(products: 3), options: options)
        let x = try OnnxValue((0..<5 * 64).map { Float(sin(Double($0))) }, shape: [5, 64])
        let reference: [Float] = try #require(session.run(["x": x])["y"]).values()
        try await withThrowingTaskGroup(of: [Float]?.self) { group in
            for _ in 0..<64 { group.addTask { try session.run(["x": x])["y"]?.values() } }
            for try await y in group { #expect(y == reference) }
        }
    }

    @Test func outputsOutliveTheirSession() throws {
        var session: OnnxSession? = try OnnxSession(bytes: SmallModels.linear())
        let output = try #require(session?.run(["x": OnnxValue([1, 2, 3] as [Float], shape: [1, 3])])["y"])
        session = nil
        #expect(try output.values() == SmallModels.linear([1, 2, 3]))
    }

    /// In a process of its own, so that no other test's memory is counted.
    @Test func memoryStaysFlatOverTenThousandRuns() async {
        await #expect(processExitsWith: .success) {
            func residentPages() throws -> Int {
                let words = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
                return Int(words[1]) ?? 0
            }
            let session = try OnnxSession(
                bytes: SmallModels.long(products: 2), options: OnnxSessionOptions(threadsPerRun: 1))
            var random = RandomSource(seed: 1)
            var start = 0
            for step in 0..<12_000 {
                if step == 2_000 { start = try residentPages() }
                let rows = 1 + Int(random.next() % 200)
                let x = try OnnxValue(zeros: .float32, shape: [rows, 64])
                let y = try session.run(["x": x])["y"]
                precondition(y?.shape == [rows, 64])
                if step % 100 == 0 {
                    // Errors must not leak, either.
                    let wrong = try OnnxValue(zeros: .float32, shape: [rows, 63])
                    do { _ = try session.run(["x": wrong]) } catch { continue }
                    preconditionFailure("a wrong shape was taken")
                }
            }
            let growth = try residentPages() - start
            print("resident pages: \(start), and \(growth) more after 10,000 runs")
            precondition(growth < start / 20, "\(growth) pages more than \(start)")
        }
    }
}
