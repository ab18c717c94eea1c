import ConcordCore

/// How far two embeddings are apart.
public enum EmbeddingDistance: Hashable, Sendable {
    /// The p-norm of the difference. Embeddings are compared as they are: normalise them before, if you compare
    /// directions.
    case euclidean(p: Double = 2)
    /// The square of the Euclidean distance.
    case squaredEuclidean
    /// One minus the cosine of the angle, in `0...2`; embeddings are normalised. A zero vector is at distance 1 from
    /// everything.
    case cosine

    /// - Throws: `.invalidArgument` unless p is finite and at least 1, where it is a distance.
    func check() throws(ConcordError) {
        if case .euclidean(let p) = self { try LossInput.checkNumber(p, "p of the Euclidean distance", 1...) }
    }
}
