import ConcordCore
import ConcordTestSupport
import Testing

@Suite struct NumPyFileTests {
    /// What `numpy.save` of NumPy 2 writes: a header of 118 bytes, then the values.
    private func saved(_ header: String, _ values: [UInt8]) -> [UInt8] {
        let padded = header + String(repeating: " ", count: 117 - header.utf8.count) + "\n"
        return [0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + Array(padded.utf8) + values
    }

    private func header(_ type: String, _ shape: String) -> String {
        "{'descr': '\(type)', 'fortran_order': False, 'shape': \(shape), }"
    }

    @Test func equalsWhatNumPyWrites() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/x.npy"
        func expect<Element: BitwiseCopyable>(
            _ values: [Element], _ dtype: DType, _ shape: [Int], _ expected: [UInt8]
        ) throws {
            try values.withUnsafeBytes { try NumPyFile.write($0, dtype: dtype, shape: shape, to: path) }
            #expect(try Files.read(path) == expected)
            let array = try NumPyFile(path: path)
            #expect(array.dtype == dtype && array.shape == shape)
            #expect(array.bytes == values.withUnsafeBytes { Array($0) })
        }
        try expect(
            [1.5, -2] as [Float], .float32, [2, 1], saved(header("<f4", "(2, 1)"), [0, 0, 0xC0, 0x3F, 0, 0, 0, 0xC0]))
        try expect([0, 1, 2] as [UInt8], .uint8, [3], saved(header("|u1", "(3,)"), [0, 1, 2]))
        try expect([-7], .int64, [], saved(header("<i8", "()"), [0xF9] + [UInt8](repeating: 0xFF, count: 7)))
        try expect([] as [Float], .float32, [0, 4], saved(header("<f4", "(0, 4)"), []))
    }

    @Test func everyTypeAndRankReadsBack() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/x.npy"
        for dtype in DType.allCases where dtype != .bfloat16 {
            for shape in [[], [3], [2, 3], [1, 0, 2], [2, 1, 3, 1, 2]] + [[Int](repeating: 1, count: 40)] {
                let bytes = (0..<shape.reduce(dtype.byteCount, *)).map { UInt8(truncatingIfNeeded: $0 * 37) }
                try bytes.withUnsafeBytes { try NumPyFile.write($0, dtype: dtype, shape: shape, to: path) }
                let array = try NumPyFile(path: path)
                #expect(array.dtype == dtype && array.shape == shape && array.bytes == bytes)
                #expect((try Files.read(path).count - bytes.count) % 64 == 0)
            }
        }
    }

    @Test func rowsOneByOneMakeTheSameFile() throws {
        let folder = try TemporaryFolder()
        let values = (0..<24).map { Float($0) / 7 }
        try values.withUnsafeBytes {
            try NumPyFile.write($0, dtype: .float32, shape: [4, 2, 3], to: folder.path + "/a")
        }
        try NumPyFile.writeRows(shape: [4, 2, 3], to: folder.path + "/b") { Array(values[6 * $0..<6 * $0 + 6]) }
        #expect(try Files.read(folder.path + "/a") == Files.read(folder.path + "/b"))
    }

    @Test func bfloat16HasNoForm() {
        let error = #expect(throws: ConcordError.self) {
            try [UInt8](repeating: 0, count: 2).withUnsafeBytes {
                try NumPyFile.write($0, dtype: .bfloat16, shape: [1], to: "/nowhere/x.npy")
            }
        }
        #expect(error?.code == .invalidConfiguration)
    }

    @Test(arguments: [
        "no NumPy file", "a header beyond the file", "a later version", "an empty file", "Fortran's order",
        "big-endian values", "complex values", "a missing type", "a missing shape", "a negative length",
        "a length in words", "an overflowing shape", "a shape without end", "values cut off", "values too many",
    ])
    func brokenFilesAreRefused(_ name: String) throws {
        let values = [UInt8](repeating: 1, count: 8)
        let good = saved(header("<f4", "(2,)"), values)
        let bytes: [UInt8] =
            switch name {
            case "no NumPy file": Array("PK and so on, for many bytes".utf8)
            case "a header beyond the file": Array(good[..<60])
            case "a later version": good[..<6] + [2, 0] + good[8...]
            case "an empty file": []
            case "Fortran's order": saved("{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", values)
            case "big-endian values": saved(header(">f4", "(2,)"), values)
            case "complex values": saved(header("<c8", "(1,)"), values)
            case "a missing type": saved("{'fortran_order': False, 'shape': (2,), }", values)
            case "a missing shape": saved("{'descr': '<f4', 'fortran_order': False, }", values)
            case "a negative length": saved(header("<f4", "(-2,)"), values)
            case "a length in words": saved(header("<f4", "(two,)"), values)
            case "an overflowing shape": saved(header("<f4", "(4611686018427387904, 4)"), values)
            case "a shape without end": saved("{'descr': '<f4', 'fortran_order': False, 'shape': (2, ", values)
            case "values cut off": good.dropLast()
            default: good + [0]
            }
        let folder = try TemporaryFolder()
        let path = try folder.write("x.npy", bytes)
        let error = #expect(throws: ConcordError.self) { try NumPyFile(path: path) }
        #expect(error?.code == .malformedText)
        #expect(error?.message.hasPrefix("\(path) is not a usable .npy file") == true)
    }
}
