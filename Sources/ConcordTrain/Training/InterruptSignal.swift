import Foundation
import Synchronization

/// Notices Ctrl-C and a polite kill, so that a run can save before it stops. The second signal kills at once.
public enum InterruptSignal {
    private static let count = Atomic<Int>(0)

    /// Starts listening; call once, before training.
    public static func listen() {
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
