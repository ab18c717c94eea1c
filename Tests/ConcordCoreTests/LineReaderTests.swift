import ConcordCore
import ConcordTestSupport
import Foundation
import Testing

@Suite struct LineReaderTests {
    private func lines(_ bytes: [UInt8]) throws -> [(text: String, number: Int, offset: Int, isWhole: Bool)] {
        try withTemporaryFolder { folder in
            try Files.replace(folder + "/lines", with: bytes)
            let reader = try LineReader(path: folder + "/lines")
            var found: [(text: String, number: Int, offset: Int, isWhole: Bool)] = []
            while let line = try reader.next() {
                found.append((String(decoding: line, as: UTF8.self), reader.number, reader.offset, reader.isWhole))
            }
            return found
        }
    }

    @Test func linesComeWithTheirPlaces() throws {
        let found = try lines(Array("\u{FEFF}one\r\n\n\u{FEFF}three\nfour".utf8))
        #expect(found.map(\.text) == ["one", "", "\u{FEFF}three", "four"])
        #expect(found.map(\.number) == [1, 2, 3, 4])
        #expect(found.map(\.offset) == [8, 9, 18, 22])
        #expect(found.map(\.isWhole) == [true, true, true, false])
        #expect(try lines([]).isEmpty)
        #expect(try lines(Array("\n".utf8)).map(\.text) == [""])
    }

    @Test func linesLongerThanWhatIsReadAtOnceAreWhole() throws {
        let long = (0..<5).map { String(repeating: "abc\($0)", count: 40_000 * $0 + 1) }
        let found = try lines(Array(long.joined(separator: "\n").utf8))
        #expect(found.map(\.text) == long)
        #expect(found.last?.offset == long.joined(separator: "\n").utf8.count)
    }

    @Test func whatIsNoFileIsRefused() throws {
        for path in [NSTemporaryDirectory(), "/no/such/file"] {
            let error = #expect(throws: ConcordError.self) { try LineReader(path: path) }
            #expect(error?.code == .fileSystem)
        }
    }
}
