import ConcordCore
import ConcordRuntime
import ConcordTestSupport
import Foundation
import Testing

/// Graphs that say their weights lie in another file: no file outside of their folder is read, and what is read once is
/// not looked at again.
@Suite struct ExternalDataTests {
    /// `y [2] = x [2] + w [2]`, with `w` in the file at `location`; by hand, as the package writes no such files.
    private static func graph(location: String) -> [UInt8] {
        func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
            // Lengths below 2^14, in one byte or two.
            let count = content.count
            let length = count < 128 ? [UInt8(count)] : [UInt8(count & 127 | 128), UInt8(count >> 7)]
            return [number << 3 | 2] + length + content
        }
        func text(_ number: UInt8, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }
        func number(_ field: UInt8, _ value: UInt8) -> [UInt8] { [field << 3, value] }
        func entry(_ key: String, _ value: String) -> [UInt8] { field(13, text(1, key) + text(2, value)) }
        func value(_ name: String) -> [UInt8] {
            text(1, name) + field(2, field(1, number(1, 1) + field(2, field(1, number(1, 2)))))
        }
        let weight =
            number(1, 2) + number(2, 1) + text(8, "w") + entry("location", location) + entry("offset", "0")
            + entry("length", "8") + number(14, 1)
        let node = text(1, "x") + text(1, "w") + text(2, "y") + text(4, "Add")
        let graph = field(1, node) + text(2, "g") + field(5, weight) + field(11, value("x")) + field(12, value("y"))
        return number(1, 8) + field(8, text(1, "") + number(2, 17)) + field(7, graph)
    }

    @Test func filesOutsideTheFolderAreNotRead() throws {
        try withTemporaryFolder { folder in
            let model = folder + "/model", weights = [1, 2].flatMap { withUnsafeBytes(of: Float($0)) { Array($0) } }
            try Files.makeFolder(model)
            try Files.replace(model + "/weights.bin", with: weights)
            try Files.replace(folder + "/secret.bin", with: weights)
            try FileManager.default.createSymbolicLink(
                atPath: model + "/link.bin", withDestinationPath: folder + "/secret.bin")
            func open(_ location: String) throws -> OnnxSession {
                try Files.replace(model + "/graph.onnx", with: Self.graph(location: location))
                return try OnnxSession(
                    path: model + "/graph.onnx", options: OnnxSessionOptions(threadsPerRun: 1))
            }
            // A file beside the graph is read: the others are not refused for a mistake in the graph.
            let session = try open("weights.bin")
            let inputs = ["x": try OnnxValue([10, 20] as [Float], shape: [2])]
            #expect(try session.run(inputs)["y"]?.values() == [11, 22] as [Float])
            for location in [
                "../secret.bin", "./../secret.bin", "../model/../secret.bin", folder + "/secret.bin", "link.bin",
                "/proc/self/environ", "/dev/zero", "missing.bin", "",
            ] {
                let error = try #require(throws: ConcordError.self, "\(location)") { try open(location) }
                #expect(error.code == .invalidModel, "\(error)")
            }
        }
    }

    /// What `y = x + w` says to `x = [10, 20]`.
    private static func answer(_ session: OnnxSession) throws -> [Float]? {
        try session.run(["x": try OnnxValue([10, 20] as [Float], shape: [2])])["y"]?.values()
    }

    private static func write(_ weights: [Float], over path: String) throws {
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.write(contentsOf: weights.withUnsafeBytes { Data($0) })
        try handle.close()
    }

    /// In a process of its own, which a mapping of the file would end by SIGBUS.
    @Test func whatBecomesOfADataFileIsOfNoMatterToOpenSessions() async {
        await #expect(processExitsWith: .success) {
            try withTemporaryFolder { folder in
                let path = folder + "/graph.onnx", data = folder + "/weights.bin"
                try Files.replace(path, with: Self.graph(location: "weights.bin"))
                try Files.replace(data, with: [1, 2].flatMap { withUnsafeBytes(of: Float($0)) { Array($0) } })
                let options = OnnxSessionOptions(threadsPerRun: 1)
                let first = try OnnxSession(path: path, options: options)
                var twin: OnnxSession? = try OnnxSession(path: path, options: options)
                #expect(first.runtime.readsDataFiles)
                #expect(try twin.map(Self.answer) == [11, 22])
                // The memory that both share stays until the last is closed.
                twin = nil
                #expect(try Self.answer(first) == [11, 22])
                try Self.write([5, 6], over: data)
                let second = try OnnxSession(path: path, options: options)
                #expect(try Self.answer(first) == [11, 22])
                #expect(try Self.answer(second) == [15, 26])
                #expect(truncate(data, 0) == 0)
                #expect(try Self.answer(first) == [11, 22])
                #expect(try Self.answer(second) == [15, 26])
                #expect(throws: ConcordError.self) { try OnnxSession(path: path, options: options) }
                #expect(!Files.systemText("/proc/self/maps").contains(folder))
            }
        }
    }
}
