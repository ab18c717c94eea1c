/// Whether the server can answer.
public struct Readiness: Sendable, Hashable {
    public var isReady: Bool
    /// What stands in the way; safe for clients.
    public var reasons: [String]

    public init(isReady: Bool, reasons: [String] = []) {
        self.isReady = isReady
        self.reasons = reasons
    }
}
