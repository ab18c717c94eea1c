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

    @Test(arguments: DType.allCases) func hasATypeForEachOfTheEngine(_ dtype: DType) {
        let type = OnnxElementType(dtype)
        #expect(type.byteCount == dtype.byteCount)
        #expect(type.description == dtype.rawValue)
    }
}
