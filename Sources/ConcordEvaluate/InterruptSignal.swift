import Foundation
import Synchronization

/// Notices Ctrl-C (SIGINT), a polite kill (SIGTERM) and the end of the terminal (SIGHUP), so that work can be saved
/// before the process stops.
///
/// What asks for the end often asks twice: `timeout` signals its child and then the child's whole group, a service
/// manager a process and its group, and a terminal that closes sends SIGHUP beside SIGTERM. So only Ctrl-C ends the
/// process at once, when it comes a second after the first signal or later; SIGKILL always does.
public enum InterruptSignal {
    /// The time of the first signal, in nanoseconds of the monotonic clock; 0 before.
    private static let arrival = Atomic<UInt64>(0)

    /// Makes a write to a closed pipe an error and not the end: Ctrl-C ends a `tee` behind the program, too, and the next
    /// line of progress would end the program before it has saved.
    package static func outliveReaders() { signal(SIGPIPE, SIG_IGN) }

    /// Starts listening, and outlives readers; call once, before work that can be saved. Until then signals do what they
    /// usually do.
    public static func listen() {
        _ = hasArrived  // The handler must not be the first to touch the clock, which is made on first use.
        outliveReaders()
        var wanted = sigset_t()
        sigemptyset(&wanted)
        for number in [SIGINT, SIGTERM, SIGHUP] where !(number == SIGHUP && isIgnored(number)) {
            sigaddset(&wanted, number)
            signal(number) { number in
                // Only what is allowed in a signal handler: the clock, an atomic, and the default action.
                let now = InterruptSignal.now
                let first = InterruptSignal.arrival.compareExchange(expected: 0, desired: now, ordering: .relaxed)
                if !first.exchanged, number == SIGINT, now - first.original >= 1_000_000_000 {
                    signal(number, SIG_DFL)
                    raise(number)
                }
            }
        }
        // A program that was started from a thread with blocked signals inherits the block.
        pthread_sigmask(SIG_UNBLOCK, &wanted, nil)
    }

    /// Whether a signal has come.
    public static var hasArrived: Bool { arrival.load(ordering: .relaxed) > 0 }

    /// Throws ``Interruption`` when a signal has come: between parts of work that can be done again.
    package static func check() throws(Interruption) {
        if hasArrived { throw Interruption() }
    }

    /// Work that was stopped by a signal.
    package struct Interruption: Error {}

    /// `nohup` ignores SIGHUP, and programs under it go on doing so.
    private static func isIgnored(_ number: Int32) -> Bool {
        let old = signal(number, SIG_IGN)
        guard old.map({ unsafeBitCast($0, to: Int.self) }) != unsafeBitCast(SIG_IGN, to: Int.self) else { return true }
        signal(number, old)
        return false
    }

    private static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
