/// What two different samples of the same label are to each other.
public enum SameLabel: String, Sendable, CaseIterable {
    /// Negatives like all others: labels do not count.
    case negatives
    /// Neither positives nor negatives: the pair is left out, as a caption that fits two pictures of the batch should be.
    case ignored
    /// Positives of each other.
    case positives
}
