import ConcordCore
import Foundation
import Testing

@Suite struct CPUCountTests {
    @Test func countsTheProcessorsOfTheAffinityMask() {
        func count(_ list: String) -> Int? {
            CPUCount.count(status: "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t\(list)\nMems_allowed:\t1\n")
        }
        #expect(count("0") == 1)
        #expect(count("0-3") == 4)
        #expect(count("0-1,4,8-11") == 7)
        #expect(count("") == nil)
        #expect(count("3-1") == nil)
        #expect(count("x") == nil)
        #expect(CPUCount.count(status: "Name:\tx\n") == nil)
    }

    @Test func readsQuotasOfBothVersions() {
        #expect(CPUCount.quota(unified: "150000 100000\n") == 1.5)
        #expect(CPUCount.quota(unified: "max 100000\n") == nil)
        #expect(CPUCount.quota(unified: "") == nil)
        #expect(CPUCount.quota(microseconds: "50000\n", period: "100000\n") == 0.5)
        #expect(CPUCount.quota(microseconds: "-1\n", period: "100000\n") == nil)
        #expect(CPUCount.quota(microseconds: "1", period: "0") == nil)
    }

    @Test func isWhatThisProcessMayUse() {
        #expect(CPUCount.available >= 1)
        #expect(CPUCount.available <= ProcessInfo.processInfo.processorCount)
        #expect(CPUCount.available <= CPUCount.allowedCount)
    }
}

@Suite struct CPUFeaturesTests {
    @Test func productsSaturateWithoutVNNI() {
        func saturate(_ flags: String) -> Bool {
            CPUFeatures.int8DotSaturates(information: "processor\t: 0\nflags\t\t: fpu \(flags) sse\nbugs\t: none\n")
        }
        #expect(saturate("avx2") && saturate("avx2 avx512f avx512bw"))
        #expect(!saturate("avx2 avx_vnni") && !saturate("avx512_vnni"))
        #expect(CPUFeatures.int8DotSaturates(information: "processor : 0\n"))
        #expect(CPUFeatures.int8DotSaturates(information: ""))
    }
}
