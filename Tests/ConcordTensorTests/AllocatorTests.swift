import ConcordCore
import ConcordTensor
import Foundation
import Testing

@Suite struct AllocatorTests {
    @Test func memoryIsAlignedForTheWidestRegisters() {
        for count in [1, 3, 16, 1000, 1 << 20] {
            let tensor = Tensor.zeros([count], dtype: .uint8)
            tensor.withUnsafeBytes { #expect(Int(bitPattern: $0.baseAddress) % 64 == 0) }
        }
    }

    @Test func moreThanThereIsIsAnErrorOfMemory() {
        let error = #expect(throws: ConcordError.self) {
            try withTensorErrors { _ = Tensor.zeros([1 << 55], dtype: .uint8) }
        }
        #expect(error?.message.contains("not enough memory") == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("36028797018963968 bytes") == true, "\(error?.message ?? "")")
    }

    #if os(Linux)
        /// Blocks of 7 MB come and go, and between them nodes of graphs that stay.
        @Test func freedMemoryIsUsedAgain() async {
            await #expect(processExitsWith: .success) {
                func resident() -> Int {
                    let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)
                    let line = status?.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
                    return line.flatMap { Int($0.split(whereSeparator: \.isWhitespace)[1]) } ?? 0
                }
                let weights = (0..<3).map { _ in Tensor.ones([768, 768]) }
                for weight in weights { weight.requiresGradient = true }
                var sums = [Tensor.concatenated(weights).sum()]
                let before = resident()
                for _ in 0..<100 { sums.append(Tensor.concatenated(weights).sum()) }
                precondition(before > 0 && sums.count == 101)
                precondition(resident() - before < 100 * 1024, "in KiB; all blocks together are 7 times as much")
            }
        }
    #endif
}
