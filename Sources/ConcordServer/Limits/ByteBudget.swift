import ConcordCore

/// Bytes that all requests share, given out first come first served.
public final class ByteBudget: Sendable {
    public let capacity: Int

    public init(capacity: Int) { self.capacity = capacity }

    /// Bytes that are given out.
    public var used: Int { fatalError("being written") }

    /// Does `body` with `count` bytes of the budget, when they are free. Throws `.tooLarge` for more than the whole, and
    /// `.cancelled`.
    public func with<Value>(
        _ count: Int, _ body: () async throws(ServingError) -> Value
    ) async throws(ServingError) -> Value { fatalError("being written") }
}
