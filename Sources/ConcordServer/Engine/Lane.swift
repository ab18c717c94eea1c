/// Which queue a request waits in.
public enum Lane: String, Sendable, Hashable, CaseIterable {
    /// Goes first.
    case interactive
    /// Waits for the interactive ones, but always has a share of the work.
    case bulk
}
