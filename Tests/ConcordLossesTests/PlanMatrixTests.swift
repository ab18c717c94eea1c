import ConcordCore
import ConcordTestSupport
import Foundation
import Testing

/// Every plan gives the loss and the gradients of the one-process float64 reference: see `Sources/Programs/PlanMatrix`.
@Suite struct PlanMatrixTests {
    @Test(arguments: [1, 2, 4]) func allPlansAgree(_ world: Int) throws {
        let rows = try Self.rows(["--worlds", "\(world)"])
        // 4 losses × 3 types × the plans that a world of that size can run.
        #expect(rows.count == 4 * 3 * (world == 1 ? 6 : 2))
        for row in rows {
            let type = try #require(row["embeddings"]?.string)
            // bfloat16: one rounding of a gradient, half a unit in the last of eight bits, either way.
            let tolerance = try #require(["float64": 1e-10, "float32": 1e-5, "bfloat16": 0x1p-8][type])
            for error in ["loss_error", "tower_error", "scale_error", "bias_error"] {
                let value = try #require(row[error]?.double)
                #expect(value <= tolerance, "\(error) of \(row.text())")
            }
            #expect(try #require(row["value"]?.double) > 0.1)
        }
    }

    static func rows(_ arguments: [String]) throws -> [JSONValue] {
        let folders = [Bundle.main.bundlePath, (CommandLine.arguments[0] as NSString).deletingLastPathComponent]
        let path = try #require(
            folders.map { $0 + "/PlanMatrix" }.first { FileManager.default.isExecutableFile(atPath: $0) })
        return try withTemporaryFolder { folder in
            // A pipe that nobody reads would stop the program when it is full.
            let output = folder + "/rows.jsonl"
            _ = FileManager.default.createFile(atPath: output, contents: nil)
            let process = Process()
            process.executableURL = URL(fileURLWithPath: path)
            process.arguments = ["--json"] + arguments
            process.standardOutput = FileHandle(forWritingAtPath: output)
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            return try String(contentsOfFile: output, encoding: .utf8).split(separator: "\n").map {
                try JSONValue(parsing: Array($0.utf8), source: output)
            }
        }
    }
}
