import ConcordCore
import ConcordRuntime
import Testing

@Suite struct OnnxValueTests {
    private func code(_ body: () throws -> Void) -> ConcordError.Code? {
        #expect(throws: ConcordError.self, performing: body)?.code
    }

    @Test func keepsValuesOfEveryType() throws {
        func check<Element: OnnxElement & Equatable>(_ values: [Element], _ type: OnnxElementType) throws {
            let value = try OnnxValue(values, shape: [values.count])
            #expect(value.elementType == type)
            #expect(value.count == values.count)
            #expect(try value.values(of: Element.self) == values)
        }
        try check([1.5, -2, .infinity] as [Float], .float32)
        try check([1.5, -2] as [Double], .float64)
        try check([.min, 0, .max] as [Int64], .int64)
        try check([.min, .max] as [Int32], .int32)
        try check([-128, 127] as [Int8], .int8)
        try check([0, 255] as [UInt8], .uint8)
        try check([true, false], .bool)
        try check([] as [Float], .float32)
    }

    @Test func refusesWhatDoesNotFit() throws {
        let value = try OnnxValue([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])
        #expect(try value.reshaped([3, 1, 2]).values() == [1, 2, 3, 4, 5, 6] as [Float])
        #expect(code { _ = try value.reshaped([4]) } == .shapeMismatch)
        #expect(code { _ = try value.values(of: Int64.self) } == .dtypeMismatch)
        #expect(code { _ = try OnnxValue([1, 2] as [Float], shape: [3]) } == .shapeMismatch)
        #expect(code { _ = try OnnxValue([1, 2] as [Float], shape: [-1, -2]) } == .shapeMismatch)
        #expect(code { _ = try OnnxValue([1] as [Float], shape: Array(repeating: 1, count: 9)) } == .shapeMismatch)
        #expect(code { _ = try OnnxValue(zeros: .float32, shape: [.max, 2]) } == .shapeMismatch)
        #expect(code { _ = try OnnxValue(zeros: .float32, shape: [.max / 2, 0]) } == .shapeMismatch)
        let bytes: [UInt8] = [1, 2, 3]
        #expect(
            code { _ = try bytes.withUnsafeBytes { try OnnxValue(bytes: $0, elementType: .float16, shape: [1]) } }
                == .shapeMismatch)
    }

    @Test func takesBytes() throws {
        let halves: [UInt16] = [0x3C00, 0x4000]
        let value = try halves.withUnsafeBytes { try OnnxValue(bytes: $0, elementType: .float16, shape: [2, 1]) }
        #expect(value.shape == [2, 1] && value.count == 2)
        #expect(value.withUnsafeBytes { Array($0) } == [0, 0x3C, 0, 0x40])
        #expect(try OnnxValue(zeros: .int64, shape: [2]).values() == [0, 0] as [Int64])
        #expect(try OnnxValue(zeros: .int64, shape: []).count == 1)
    }

    @Test func selectsRows() throws {
        let all = (0..<12).map(Float.init)
        var value = try OnnxValue(all, shape: [4, 3])
        let copy = value
        try value.select(rows: [1, 3])
        #expect(try value.shape == [2, 3] && value.values() == [3, 4, 5, 9, 10, 11] as [Float])
        #expect(try copy.shape == [4, 3] && copy.values() == all, "a copy keeps what it had")
        // Nobody else has it now: rows that rise move where they lie.
        let address = value.withUnsafeBytes { $0.baseAddress }
        try value.select(rows: [1])
        #expect(value.withUnsafeBytes { $0.baseAddress } == address)
        #expect(try value.shape == [1, 3] && value.count == 3 && value.values() == [9, 10, 11] as [Float])
        var mixed = try OnnxValue(all, shape: [4, 3])
        try mixed.select(rows: [2, 0, 2])
        #expect(try mixed.values() == [6, 7, 8, 0, 1, 2, 6, 7, 8] as [Float])
        try mixed.select(rows: [])
        #expect(mixed.shape == [0, 3] && mixed.count == 0)
        #expect(code { try mixed.select(rows: [0]) } == .invalidArgument)
        #expect(
            code {
                var number = try OnnxValue([1] as [Float], shape: [])
                try number.select(rows: [0])
            } == .shapeMismatch)
    }

    @Test(arguments: DType.allCases) func hasATypeForEachOfTheEngine(_ dtype: DType) {
        let type = OnnxElementType(dtype)
        #expect(type.byteCount == dtype.byteCount)
        #expect(type.description == dtype.rawValue)
    }
}
