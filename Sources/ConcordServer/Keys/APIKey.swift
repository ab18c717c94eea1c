/// An entry of `keys.json`: who may do what, and how much.
public struct APIKey: Sendable, Hashable {
    /// What a key is good for.
    public enum Scope: String, Sendable, Hashable, CaseIterable {
        case embed, caption, admin, metrics
    }

    /// What limits, logs and metrics call the caller.
    public var id: String
    public var scopes: Set<Scope>
    public var limits: CallerLimits

    public init(id: String, scopes: Set<Scope>, limits: CallerLimits = CallerLimits()) {
        self.id = id
        self.scopes = scopes
        self.limits = limits
    }
}
