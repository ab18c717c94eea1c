/// What the engine has to know of the request that a piece of work belongs to.
public struct WorkContext: Sendable, Hashable {
    public var lane: Lane
    /// When the answer is of no use any more; nil for never.
    public var deadline: ContinuousClock.Instant?
    public var requestID: String
    /// The id of the caller's key; nil where no keys are asked for.
    public var caller: String?

    public init(
        lane: Lane = .interactive, deadline: ContinuousClock.Instant? = nil, requestID: String = "",
        caller: String? = nil
    ) {
        self.lane = lane
        self.deadline = deadline
        self.requestID = requestID
        self.caller = caller
    }
}
