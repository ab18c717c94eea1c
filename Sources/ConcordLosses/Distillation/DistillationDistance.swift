/// How far a student's embedding is from its teacher's.
public enum DistillationDistance: Hashable, Sendable {
    /// The squared difference, averaged over rows and columns.
    case squaredError
    /// One less the cosine, averaged over rows.
    case cosine
}
