import ConcordCore
import Foundation
import Synchronization

/// Tells the other processes of a group that this one is alive, and notices when one of them is not.
///
/// Each process counts up a number of its own in the shared store, from a thread that does nothing else, and looks at
/// the numbers of the others. So a process may compute for as long as it likes, and one that is gone or stopped is
/// found. The first to find it writes the verdict, and all report the same. Time is counted in rounds of the thread and
/// not by the clock: a process that was stopped itself finds nobody late when it goes on.
final class Heartbeat: Sendable {
    static let verdictKey = "verdict", noVerdict = "-"
    static func key(of rank: Int) -> String { "hearts/\(rank)" }

    fileprivate enum Word {
        /// What a process that has left in order leaves as its number.
        static let ended = "ended"
        /// The beginning of what one that fails leaves.
        static let failed = "failed: "
    }

    private struct State {
        /// Why the group has failed.
        var failure: String?
        /// Whether a connection broke: then someone is dead, and the question is who.
        var isSuspicious = false
        /// What this process leaves when it goes; nil as long as it stays.
        var farewell: String?
        /// Rounds of questions and answers.
        var rounds = 0
        var hasStopped = false
    }

    private let state = Mutex(State())
    private let place: ProcessMembership
    /// Seconds between two beats, and without a beat after which a process counts as dead: when all is well, and when a
    /// connection has broken.
    private let interval, silence, shortSilence: Double
    private let grace: Double?
    private let onFailure: @Sendable (String) -> Void

    /// - Parameters:
    ///   - silence: seconds without a beat after which a process counts as dead.
    ///   - grace: seconds after a failure of the group after which this process ends, if it has not left the group: it may
    ///     be busy for long before it asks for the others. Nil lets it go on.
    ///   - onFailure: called once, on a thread of the heart, with the reason.
    init(
        _ place: ProcessMembership, silence: Double, grace: Double?,
        onFailure: @escaping @Sendable (String) -> Void
    ) throws(ConcordError) {
        self.place = place
        self.grace = grace
        self.onFailure = onFailure
        self.silence = silence
        interval = min(1, silence / 10)
        shortSilence = 5 * interval
        let store = try Meeting.open(place, again: true, timeout: max(1, silence))
        try SystemThread.start(name: "heartbeat") { self.beat(store) }
        try SystemThread.start(name: "heart monitor") { self.watch() }
    }

    /// The reason for which the group has failed, if it has.
    var failure: String? { state.withLock { $0.failure } }

    /// Finds out who is dead, after a connection broke.
    ///
    /// - Returns: the reason that all processes report; nil when all hearts beat on.
    func findCause() -> String? {
        let start = state.withLock { state in
            state.isSuspicious = true
            return state.rounds
        }
        let deadline = ContinuousClock.now + .seconds(silence + 2 * shortSilence)
        while true {
            let (failure, rounds) = state.withLock { ($0.failure, $0.rounds) }
            if failure != nil || rounds > start + 10 || ContinuousClock.now > deadline { return failure }
            Thread.sleep(forTimeInterval: min(0.02, interval / 4))
        }
    }

    /// Says farewell: in order, or with the error for which this process leaves. The process that keeps the store stays
    /// until the others have left as well, or are dead.
    func end(_ error: String? = nil) {
        state.withLock { $0.farewell = error.map { Word.failed + $0.prefix(1000) } ?? Word.ended }
        // The store of another process may never answer.
        while !state.withLock({ $0.hasStopped || ($0.failure != nil && !place.keepsStore) }) {
            Thread.sleep(forTimeInterval: min(0.005, interval / 4))
        }
    }

    // MARK: The threads

    private func beat(_ store: SharedStore) {
        defer { state.withLock { $0.hasStopped = true } }
        var others = OtherHearts(own: place.rank, count: place.worldSize)
        var beats = 0, lingering = 0.0
        while true {
            let (farewell, isSuspicious) = state.withLock { ($0.farewell, $0.isSuspicious) }
            beats += 1
            do {
                try store.set(Self.key(of: place.rank), farewell ?? "\(beats)")
                let texts = try store.texts(of: (0..<place.worldSize).map(Self.key) + [Self.verdictKey])
                state.withLock { $0.rounds += 1 }
                others.read(texts, silence: isSuspicious ? shortSilence : silence, isSuspicious: isSuspicious)
                if let verdict = texts.last, verdict != Self.noVerdict {
                    fail(verdict)
                } else if farewell == nil, let reason = others.gone.min(by: { $0.key < $1.key })?.value {
                    fail(try store.exchange(Self.verdictKey, from: Self.noVerdict, to: reason))
                }
            } catch {
                if farewell == nil {
                    fail(
                        place.isStoreKept
                            ? "the program that started the ranks, which keeps the store where they meet, is gone"
                            : "rank 0 is dead: it keeps the store where the ranks meet, which is gone")
                }
                return
            }
            if let farewell {
                let isInOrder = failure == nil && farewell == Word.ended
                let isNeeded = place.keepsStore && others.areAnyThere && (isInOrder || lingering < 3 * interval)
                if !isNeeded { return }
            }
            let slept = pause(isLeaving: farewell != nil)
            others.time += slept
            if farewell != nil { lingering += slept }
        }
    }

    /// Waits for the next beat, or until this process leaves.
    ///
    /// - Returns: the seconds.
    private func pause(isLeaving: Bool) -> Double {
        let step = min(0.02, interval)
        if isLeaving {
            Thread.sleep(forTimeInterval: step)
            return step
        }
        var slept = 0.0
        while slept < interval, state.withLock({ $0.farewell == nil }) {
            Thread.sleep(forTimeInterval: step)
            slept += step
        }
        return slept
    }

    /// Notices when the store does not answer.
    private func watch() {
        var lastRound = 0, silent = 0.0
        while true {
            Thread.sleep(forTimeInterval: interval)
            let (rounds, isOver) = state.withLock { ($0.rounds, $0.hasStopped) }
            if isOver || failure != nil { return }
            silent = rounds == lastRound ? silent + interval : 0
            lastRound = rounds
            if silent > silence {
                let owner = place.isStoreKept ? "the program that started the ranks" : "rank 0"
                fail(
                    "\(owner), which keeps the store where the ranks meet, is stopped or cannot be reached: no answer "
                        + "for \(NumberText.tick(silence)) s")
                return
            }
        }
    }

    private func fail(_ reason: String) {
        let isFirst = state.withLock { state in
            guard state.failure == nil else { return false }
            state.failure = reason
            return true
        }
        guard isFirst else { return }
        onFailure(reason)
        guard let grace else { return }
        SystemThread.startOrEnd(name: "heart end") { [self] in
            Thread.sleep(forTimeInterval: grace)
            if state.withLock({ $0.farewell == nil }) {
                FileHandle.standardError.write(Data("Error: \(reason)\n".utf8))
                _exit(ProcessGroup.failureStatus)
            }
        }
    }
}

/// What a process knows of the hearts of the others.
private struct OtherHearts {
    private let own: Int
    private var seen: [String]
    private var lastChange: [Double]
    /// Seconds that this process has been there, those in which it was stopped left out.
    var time = 0.0
    /// The ranks that will not answer any more, and why.
    private(set) var gone: [Int: String] = [:]

    init(own: Int, count: Int) {
        self.own = own
        seen = Array(repeating: "", count: count)
        lastChange = Array(repeating: 0, count: count)
    }

    /// Whether a rank has neither left nor died.
    var areAnyThere: Bool {
        seen.indices.contains { $0 != own && seen[$0] != Heartbeat.Word.ended && gone[$0] == nil }
    }

    mutating func read(_ texts: [String], silence: Double, isSuspicious: Bool) {
        gone = [:]
        for rank in seen.indices where rank != own {
            if texts[rank] != seen[rank] { (seen[rank], lastChange[rank]) = (texts[rank], time) }
            if texts[rank].hasPrefix(Heartbeat.Word.failed) {
                gone[rank] = "rank \(rank) failed: \(texts[rank].dropFirst(Heartbeat.Word.failed.count))"
            } else if texts[rank] == Heartbeat.Word.ended {
                // Who needs nobody any more does not mind.
                if isSuspicious { gone[rank] = "rank \(rank) has left the group" }
            } else if time - lastChange[rank] > silence {
                gone[rank] =
                    isSuspicious
                    ? "rank \(rank) is dead: its connection broke, and it gives no sign of life"
                    : "rank \(rank) is dead or stopped: no sign of life for \(NumberText.tick(silence)) s"
            }
        }
    }
}
