import ConcordCore
import ConcordTestSupport
import Foundation
import Testing

@Suite struct FilesTests {
    private struct Interruption: Error {}

    @Test func replacesTheWholeFile() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/x"
            try Files.replace(path, with: "a long first version")
            try Files.replace(path, with: "second")
            #expect(try Files.read(path) == Array("second".utf8))
            try Files.replace(path) { writer in
                for byte in 0..<4 { try writer.write([UInt8(byte)]) }
                try writer.write([])
            }
            #expect(try Files.read(path) == [0, 1, 2, 3])
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["x"])
        }
    }

    @Test func makesFoldersWithThoseAbove() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/a/b/c"
            try Files.makeFolder(path)
            try Files.makeFolder(path + "/")
            #expect(Files.isFolder(path))
            try FileManager.default.createSymbolicLink(atPath: folder + "/link", withDestinationPath: path)
            try Files.makeFolder(folder + "/link")
            try Files.replace(path + "/file", with: "text")
            for wrong in [path + "/file", path + "/file/d", ""] {
                let error = try #require(throws: ConcordError.self) { try Files.makeFolder(wrong) }
                #expect(error.code == .fileSystem && error.message.hasPrefix("cannot make the folder \(wrong)"))
            }
        }
    }

    @Test func anErrorLeavesTheOldFileAndNothingElse() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/x"
            try Files.replace(path, with: "old")
            #expect(throws: Interruption.self) {
                try Files.replace(path) { writer in
                    try writer.write(Array("half".utf8))
                    // Until the rename the old version stands.
                    #expect(try Files.read(path) == Array("old".utf8))
                    throw Interruption()
                }
            }
            #expect(try Files.read(path) == Array("old".utf8))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["x"])
        }
    }

    @Test func namesThePathInErrors() throws {
        try withTemporaryFolder { folder in
            let missing = folder + "/none/x"
            for attempt in [
                { _ = try Files.read(missing) }, { try Files.replace(missing, with: "x") },
                { _ = try FileReader(path: missing) }, { try Files.synchronizeFolder(folder + "/none") },
            ] as [() throws -> Void] {
                let error = #expect(throws: ConcordError.self, performing: attempt)
                #expect(error?.code == .fileSystem)
                #expect(error?.message.contains(folder + "/none") == true)
                #expect(error?.message.contains("check the path") == true)
            }
        }
    }

    @Test func aURLIsSaidToBeOne() {
        let error = #expect(throws: ConcordError.self) { _ = try Files.read("https://example.com/a.png") }
        #expect(error?.message.contains("this is a URL") == true)
    }

    @Test func whatCannotBeWrittenIsSaidBeforeTheWork() throws {
        try withTemporaryFolder { folder in
            try Files.replace(folder + "/file", with: "x")
            try Files.checkIsWritable(folder + "/file")
            try Files.checkIsWritable(folder + "/new")
            try Files.checkIsWritable("new")
            for (path, problem) in [
                (folder, "is a folder"), (folder + "/none/x", "there is no folder \(folder)/none"),
                (folder + "/file/x", "\(folder)/file is not a folder"),
            ] {
                let error = #expect(throws: ConcordError.self) { try Files.checkIsWritable(path) }
                #expect(error?.code == .fileSystem && error?.message.contains(problem) == true)
            }
        }
    }

    @Test func readsRegularFilesUpToALimit() throws {
        try withTemporaryFolder { folder in
            try Files.replace(folder + "/x", with: "12345")
            #expect(try Files.read(folder + "/x", limit: 5).count == 5)
            #expect(throws: ConcordError.self) { try Files.read(folder + "/x", limit: 4) }
            #expect(throws: ConcordError.self) { try Files.read(folder) }
            #expect(Files.exists(folder + "/x") && !Files.exists(folder + "/y"))
        }
    }

    @Test func parents() {
        #expect(Files.parent(of: "/a/b") == "/a")
        #expect(Files.parent(of: "/a") == "/")
        #expect(Files.parent(of: "a") == ".")
    }

    @Test func readsAFileAtAnyPlace() throws {
        try withTemporaryFolder { folder in
            try Files.replace(folder + "/x", with: "opened")
            let file = try FileReader(path: folder + "/x")
            // What was opened stays readable when the file is replaced.
            try Files.replace(folder + "/x", with: "other!")
            #expect(file.count == 6)
            #expect(try file.read(0..<6) == Array("opened".utf8))
            #expect(try file.read(4..<6) == Array("ed".utf8) && file.read(6..<6) == [])
            try Files.replace(folder + "/x", with: "")
            let empty = try FileReader(path: folder + "/x")
            #expect(try empty.count == 0 && empty.read(0..<0) == [])
            #expect(throws: ConcordError.self) { try FileReader(path: folder) }
        }
    }

    @Test(arguments: [3, 8]) func aFileThatIsCutOrGrowsIsNamed(_ length: off_t) throws {
        try withTemporaryFolder { folder in
            try Files.replace(folder + "/x", with: "opened")
            let file = try FileReader(path: folder + "/x")
            #expect(truncate(folder + "/x", length) == 0)
            // Also for what is still there: it may be another file's.
            for range in [0..<2, 4..<6] {
                let error = #expect(throws: ConcordError.self) { try file.read(range) }
                #expect(error?.code == .fileSystem && error?.message.contains("\(folder)/x was changed") == true)
            }
        }
    }
}
