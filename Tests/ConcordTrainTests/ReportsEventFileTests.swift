import ConcordCore
import ConcordTestSupport
import ConcordTrain
import Testing

/// Against the bytes that TensorBoard's own code writes (`scripts/golden/make_reports.py`).
@Suite struct ReportsEventFileTests {
    private let time = 1_700_000_000.25

    @Test func writesTheSameBytesAsTensorBoard() throws {
        try withTemporaryFolder { folder in
            let writer = try EventFileWriter(folder: folder, time: time, host: "host", resumedStep: 300)
            try writer.append(step: 300, time: time + 1, [("train/loss", 2.31), ("train/accuracy", 0)])
            try writer.append(step: 100_000, time: time + 2, [("train/loss", .infinity)])
            try writer.append(
                step: 100_001, time: time + 3, [("eval/" + String(repeating: "é", count: 100), -1e-9)])
            #expect(writer.path == folder + "/events.out.tfevents.1700000000.host")
            #expect(try Files.read(writer.path) == Files.read(Golden.folder("reports") + "/events"))
        }
    }

    @Test func everySessionHasAFileOfItsOwn() throws {
        try withTemporaryFolder { folder in
            let first = try EventFileWriter(folder: folder + "/logs", time: time, host: "a/b")
            let second = try EventFileWriter(folder: folder + "/logs", time: time, host: "a/b", resumedStep: 5)
            #expect(first.path == folder + "/logs/events.out.tfevents.1700000000.a-b")
            #expect(second.path == folder + "/logs/events.out.tfevents.1700000001.a-b")
            // Whole at every moment: the data of the first record is in the file before anything is closed.
            let bytes = try Files.read(first.path)
            #expect(bytes.count == 8 + 4 + Int(bytes[0]) + 4)
        }
    }

    /// Check values of the CRC catalogue and of RFC 3720, B.4.
    @Test(
        arguments: [
            (Array("123456789".utf8), 0xE306_9283), ([], 0), ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
            ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43), (Array(0..<32), 0x46DD_794E),
        ] as [([UInt8], UInt32)])
    func checksums(_ bytes: [UInt8], _ checksum: UInt32) {
        #expect(CRC32C.checksum(bytes) == checksum)
    }
}
