import ConcordCore
import Foundation
import Testing

@Suite struct ProcessorsTests {
    @Test func countsTheProcessorsOfTheAffinityMask() {
        func count(_ list: String) -> Int? {
            Processors.count(status: "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t\(list)\nMems_allowed:\t1\n")
        }
        #expect(count("0") == 1)
        #expect(count("0-3") == 4)
        #expect(count("0-1,4,8-11") == 7)
        #expect(count("") == nil)
        #expect(count("3-1") == nil)
        #expect(count("x") == nil)
        #expect(Processors.count(status: "Name:\tx\n") == nil)
    }

    @Test func readsQuotasOfBothVersions() {
        #expect(Processors.quota(unified: "150000 100000\n") == 1.5)
        #expect(Processors.quota(unified: "max 100000\n") == nil)
        #expect(Processors.quota(unified: "") == nil)
        #expect(Processors.quota(microseconds: "50000\n", period: "100000\n") == 0.5)
        #expect(Processors.quota(microseconds: "-1\n", period: "100000\n") == nil)
        #expect(Processors.quota(microseconds: "1", period: "0") == nil)
    }

    @Test func isWhatThisProcessMayUse() {
        #expect(Processors.available >= 1)
        #expect(Processors.available <= ProcessInfo.processInfo.processorCount)
        #expect(Processors.available <= Processors.allowedCount)
    }
}
