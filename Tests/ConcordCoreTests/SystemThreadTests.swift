import ConcordCore
import Foundation
import Testing

@Suite struct SystemThreadTests {
    /// What two threads share.
    ///
    /// `@unchecked Sendable`: `value` is touched only while `condition` is locked.
    private final class Box<Value>: @unchecked Sendable {
        private let condition = Condition()
        private var value: Value?

        func set(_ value: Value) {
            condition.locked {
                self.value = value
                condition.broadcast()
            }
        }

        func get() -> Value {
            condition.locked {
                while true {
                    if let value { return value }
                    condition.wait()
                }
            }
        }
    }

    @Test func worksOnAThreadOfItsName() throws {
        let name = Box<String>()
        try SystemThread.start(name: "concord-test-of-a-name") {
            name.set((try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)) ?? "")
        }
        #if os(Linux)
            #expect(name.get() == "concord-test-of\n")
        #endif
    }

    @Test func waitingEnds() {
        let condition = Condition()
        let start = ContinuousClock.now
        condition.locked {
            // By chance it may end earlier.
            while condition.wait(for: .milliseconds(20)) {}
        }
        #expect(ContinuousClock.now - start >= .milliseconds(19))
        condition.locked { #expect(!condition.wait(for: .seconds(-1))) }
    }

    @Test func newsEndWaiting() throws {
        let box = Box<Int>()
        for value in 0..<100 { try SystemThread.start(name: "test-\(value)") { box.set(value) } }
        #expect((0..<100).contains(box.get()))
    }
}
