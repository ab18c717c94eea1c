import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTestSupport
import Testing

@Suite struct NonFiniteValuesTests {
    /// The names found in a file of these tensors.
    private func names(_ tensors: [SafetensorsTensor]) throws -> [String] {
        try withTemporaryFolder { folder in
            let path = folder + "/model.safetensors"
            try SafetensorsWriter.write(to: path, tensors: tensors)
            return try NonFiniteValues.names(among: CheckpointReader(path: path).tensors)
        }
    }

    /// Bit patterns: the largest finite number of either sign, then what is not finite. Three to a tensor, so that the
    /// last word is cut short; each place is tried.
    @Test func findsEveryKindAtEveryPlace() throws {
        func check<Bits: FixedWidthInteger & BitwiseCopyable>(_ dtype: DType, finite: [Bits], broken: [Bits]) throws {
            let count = 7
            #expect(
                try names([SafetensorsTensor("a", dtype, [count], values: (0..<count).map { finite[$0 % 3] })]) == [])
            for pattern in broken {
                for place in 0..<count {
                    let values = (0..<count).map { $0 == place ? pattern : finite[$0 % 3] }
                    let tensors = [
                        SafetensorsTensor("a", dtype, [count], values: finite + finite + [0]),
                        SafetensorsTensor("b", dtype, [count], values: values),
                    ]
                    #expect(try names(tensors) == ["b"], "\(dtype) \(String(pattern, radix: 16)) at \(place)")
                }
            }
        }
        try check(.float16, finite: [0x7BFF, 0xFBFF, 1], broken: [0x7C00, 0xFC00, 0x7E00, 0xFFFF, 0x7C01] as [UInt16])
        try check(.bfloat16, finite: [0x7F7F, 0xFF7F, 1], broken: [0x7F80, 0xFF80, 0x7FC0, 0xFFFF] as [UInt16])
        try check(
            .float32, finite: [0x7F7F_FFFF, 0xFF7F_FFFF, 1],
            broken: [0x7F80_0000, 0xFF80_0000, 0x7FC0_0000, 0xFFFF_FFFF, 0x7F80_0001] as [UInt32])
        let greatest = Double.greatestFiniteMagnitude
        try check(
            .float64, finite: [greatest.bitPattern, (-greatest).bitPattern, 1],
            broken: [Double.infinity, -.infinity, .nan].map(\.bitPattern))
    }

    /// Larger than what a thread takes at once, the last value of all is the broken one.
    @Test func findsTheLastOfManyPieces() throws {
        var values = [Float](repeating: 1, count: 5_000_001)
        let whole = SafetensorsTensor("whole", .float32, [values.count], values: values)
        values[values.count - 1] = .nan
        let broken = SafetensorsTensor("broken", .float32, [values.count], values: values)
        #expect(try names([whole, broken]) == ["broken"])
    }

    @Test func integersAndEmptyTensorsAreFinite() throws {
        #expect(
            try names([
                SafetensorsTensor("ids", .int64, [2], values: [-1, Int.max]),
                SafetensorsTensor("none", .float32, [0, 4], values: [Float]()),
            ]) == [])
    }
}
