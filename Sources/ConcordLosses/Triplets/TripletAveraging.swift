/// What the mean over triplets divides by.
public enum TripletAveraging: Hashable, Sendable {
    /// The triplets whose loss is above 0, so that those learnt already do not thin out the rest (PyTorch Metric
    /// Learning's `AvgNonZeroReducer`).
    case nonZero
    /// All triplets that were chosen.
    case all
}
