/// Which of an anchor's positives, or of its negatives, are taken.
public enum PairChoice: Hashable, Sendable {
    /// The farthest positive, or the nearest negative.
    case hard
    /// The farthest positive that is nearer than the chosen negative, or the nearest negative that is farther than the
    /// chosen positive.
    case semiHard
    /// The nearest positive, or the farthest negative.
    case easy
    /// All of them.
    case all
}
