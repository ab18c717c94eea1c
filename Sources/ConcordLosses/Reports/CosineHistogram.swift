import ConcordCore
import ConcordTensor

/// How often cosines fall into each of equally wide bins over `-1...1`.
public struct CosineHistogram: Sendable, Hashable {
    /// Cosines in each bin, from -1 to 1. A bin holds its lower end; the last holds 1, too.
    public private(set) var counts: [Int]

    /// A histogram without cosines.
    init(bins: Int) { counts = [Int](repeating: 0, count: bins) }

    /// The width of a bin.
    public var binWidth: Double { 2 / Double(counts.count) }
    /// The middle of each bin.
    public var centers: [Double] { counts.indices.map { (Double($0) + 0.5) * binWidth - 1 } }
    /// The share of all cosines in each bin; zeros without cosines.
    public var shares: [Double] {
        let total = counts.reduce(0, +)
        return counts.map { total == 0 ? 0 : Double($0) / Double(total) }
    }

    /// The bin of each cosine, int64 of the same shape.
    static func bins(of cosines: Tensor, count: Int) -> Tensor {
        // Rounding may leave a cosine a little outside.
        ((cosines + 1) * (Double(count) / 2)).floor().clamped(min: 0, max: Double(count - 1)).to(.int64)
    }

    /// - Parameter bins: the bins of some cosines, int64.
    mutating func add(bins: Tensor, sign: Int = 1) {
        guard !counts.isEmpty, bins.scalarCount > 0 else { return }
        let added = bins.flattened().countsOfValues(minimumLength: counts.count).scalars(as: Int.self)
        for (bin, count) in added.enumerated() { counts[bin] += sign * count }
    }
}
