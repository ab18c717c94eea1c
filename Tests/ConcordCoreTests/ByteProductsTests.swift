import ConcordCore
import Testing

@Suite struct ByteProductsTests {
    @Test func processors() {
        func saturate(_ flags: String) -> Bool {
            ByteProducts.saturate(processorInformation: "processor\t: 0\nflags\t\t: fpu \(flags) sse\nbugs\t: none\n")
        }
        #expect(saturate("avx2") && saturate("avx2 avx512f avx512bw"))
        #expect(!saturate("avx2 avx_vnni") && !saturate("avx512_vnni"))
        #expect(ByteProducts.saturate(processorInformation: "processor : 0\n"))
        #expect(ByteProducts.saturate(processorInformation: ""))
    }
}
