/// How a loss compares two embeddings of a labelled batch.
public enum PairMeasure: Hashable, Sendable {
    /// The Euclidean distance, 0...2 between unit vectors; its gradient at 0 is 0.
    case euclideanDistance
    /// The scalar product: the cosine of unit vectors, -1...1.
    case dotProduct
}
