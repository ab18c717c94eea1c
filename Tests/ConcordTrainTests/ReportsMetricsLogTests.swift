import ConcordCore
import ConcordTestSupport
import ConcordTrain
import Testing

@Suite struct ReportsMetricsLogTests {
    private func text(_ path: String) throws -> String { String(decoding: try Files.read(path), as: UTF8.self) }

    @Test func appendsALineAStepAtOnce() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/metrics.jsonl"
            let log = try MetricsLog(path: path)
            try log.append(step: 1, [("loss", 5.5), ("accuracy", 0.25)])
            #expect(try text(path) == "{\"step\":1, \"loss\":5.5, \"accuracy\":0.25}\n")
            try log.append(step: 2, [("loss", .nan), ("accuracy", 1)])
            #expect(try text(path).hasSuffix("\n{\"step\":2, \"loss\":null, \"accuracy\":1.0}\n"))
            #expect(try MetricsLog.read(path).map { $0["step"]?.int } == [1, 2])
            // Begun anew, it replaces the old one.
            _ = try MetricsLog(path: path)
            #expect(try text(path).isEmpty)
        }
    }

    @Test func resumesAtTheCheckpoint() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/metrics.jsonl"
            // As a killed run leaves it: two steps past the checkpoint, the last cut off. Bytes that stay are not touched.
            let kept = "{\"step\":10, \"loss\":3.0}\n{ \"step\": 20, \"loss\": 2.50 }\n"
            try Files.replace(path, with: kept + "{\"step\":30, \"loss\":2.0}\n{\"step\":40, \"lo")
            #expect(try MetricsLog.read(path).count == 3)
            let log = try MetricsLog(path: path, resumedStep: 20)
            #expect(try text(path) == kept)
            try log.append(step: 30, [("loss", 2.25)])
            #expect(try text(path) == kept + "{\"step\":30, \"loss\":2.25}\n")
            // A run that was killed before its first line has no log yet.
            _ = try MetricsLog(path: folder + "/other.jsonl", resumedStep: 20)
            #expect(try text(folder + "/other.jsonl").isEmpty)
        }
    }

    @Test(arguments: ["{\"loss\":1}\n", "nonsense\n{\"step\":1}\n", "{\"step\":1}\n\n{\"step\":2}\n", "[1]\n"])
    func refusesALogWithForeignLines(_ content: String) throws {
        try withTemporaryFolder { folder in
            let path = folder + "/metrics.jsonl"
            try Files.replace(path, with: content)
            let error = #expect(throws: ConcordError.self) { try MetricsLog(path: path, resumedStep: 9) }
            #expect(error?.code == .malformedText)
            #expect(error?.message.contains("line ") == true)
            #expect(try text(path) == content)
        }
    }
}
