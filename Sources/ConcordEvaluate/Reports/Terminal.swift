import Foundation

/// What the place that a program writes to can show.
public struct Terminal: Sendable {
    /// Whether lines can be overwritten: a terminal, and not one that says it is dumb.
    public let isInteractive: Bool
    /// Whether colours are wanted: a terminal, and `NO_COLOR` (https://no-color.org) unset or empty.
    public let usesColor: Bool
    private let descriptor: Int32

    /// Looks at an open file descriptor; standard error by default, so that standard output stays for results.
    public init(
        descriptor: Int32 = STDERR_FILENO, environment: [String: String] = ProcessInfo.processInfo.environment
    ) {
        self.init(descriptor: descriptor, isTerminal: isatty(descriptor) == 1, environment: environment)
    }

    /// With the answer to `isatty` given, so that the rest can be tested.
    package init(descriptor: Int32, isTerminal: Bool, environment: [String: String]) {
        self.descriptor = descriptor
        isInteractive = isTerminal && environment["TERM"] != "dumb"
        usesColor = isInteractive && (environment["NO_COLOR"] ?? "").isEmpty
    }

    /// The columns of the terminal now; 80 where there is no telling.
    public var width: Int {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Writes text at once. Progress is not worth a failure, so errors are dropped.
    public func write(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { return }
            bytes = bytes.dropFirst(written)
        }
    }
}
