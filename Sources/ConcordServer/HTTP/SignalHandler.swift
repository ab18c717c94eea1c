import ConcordPlatform
import Logging
import UnixSignals

/// What signals of the system have a server do.
///
/// | signal | does |
/// |---|---|
/// | SIGTERM, SIGINT, SIGQUIT | the server ends when what it accepted is answered |
/// | SIGINT or SIGQUIT after that | it ends at once |
/// | SIGHUP | reads settings, keys and models again; ends the server as SIGTERM does where its terminal was closed |
/// | SIGUSR1, SIGUSR2 | nothing but a line in the log |
struct SignalHandler: Sendable {
    let logger: Logger
    let reload: @Sendable () -> Void
    let end: @Sendable () async -> Void
    let endAtOnce: @Sendable () -> Void

    /// Whether this process has a terminal that controls it.
    private static var hasTerminal: Bool {
        let descriptor = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0
    }

    /// Handles signals until its task is cancelled.
    func run(_ signals: UnixSignalsSequence) async {
        let hadTerminal = Self.hasTerminal
        var isEnding = false
        for await signal in signals {
            switch signal {
            case .sighup where !hadTerminal || Self.hasTerminal: reload()
            case .sigterm, .sigint, .sigquit, .sighup:
                if !isEnding {
                    isEnding = true
                    await end()
                } else if signal == .sigint || signal == .sigquit {
                    logger.warning("ending at once; requests under way are lost")
                    endAtOnce()
                }
            default: logger.notice("a signal that means nothing here", metadata: ["signal": "\(signal)"])
            }
        }
    }
}
