import Foundation
import Synchronization

/// Notices Ctrl-C and a polite kill, so that a run can save before it stops. The second signal kills at once.
public enum InterruptSignal {
    private static let count = Atomic<Int>(0)

    /// Starts listening; call once, before training.
    public static func listen() {
        // A program that was started from a thread with blocked signals inherits the block.
        var wanted = sigset_t()
        sigemptyset(&wanted)
        sigaddset(&wanted, SIGINT)
        sigaddset(&wanted, SIGTERM)
        pthread_sigmask(SIG_UNBLOCK, &wanted, nil)
        _ = hasArrived  // The handler must not be the first to touch the counter, which is made on first use.
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                // Only what is allowed in a signal handler: an atomic, and the default action.
                if InterruptSignal.count.wrappingAdd(1, ordering: .relaxed).newValue > 1 {
                    signal(number, SIG_DFL)
                    raise(number)
                }
            }
        }
    }

    /// Whether a signal has come.
    public static var hasArrived: Bool { count.load(ordering: .relaxed) > 0 }
}
