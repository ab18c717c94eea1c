/// The weights of one axis of a resize: for each output position, where its source pixels start and how much each
/// counts, as Pillow's fixed-point numbers of 22 bits.
///
/// Each weight is stored as `high · 256 + low`, with `high` a signed and `low` an unsigned small number, because
/// products of 16-bit numbers are the fastest that every CPU has. Weights come in pairs of neighbours, padded with 0.
struct ResampleWeights {
    /// First source position of each output position, relative to `sourceStart`.
    private(set) var starts: [Int] = []
    /// Number of source positions of each output position.
    private(set) var counts: [Int] = []
    /// Index in `high` and `low` of each output position's first pair.
    private(set) var offsets: [Int] = []
    private(set) var high: [SIMD2<Int16>] = []
    private(set) var low: [SIMD2<Int16>] = []

    /// The first source position that any output position reads.
    private(set) var sourceStart = 0
    /// How many source positions, from `sourceStart`, are read.
    private(set) var sourceCount = 0

    static let precisionBits = 32 - 8 - 2

    /// The weights for the positions `range` of an axis that is resized from `box` (within `0..<sourceSize`) to
    /// `size`. The arithmetic is that of Pillow's `precompute_coeffs` and `normalize_coeffs_8bpc`.
    init(sourceSize: Int, box: (lower: Float, upper: Float), size: Int, range: Range<Int>, filter: ResampleFilter) {
        let scale = Double(box.upper - box.lower) / Double(size)
        let filterScale = max(scale, 1)
        let support = filter.support * filterScale
        let inverse = 1 / filterScale
        var weights: [Double] = []
        var end = 0
        for position in range {
            let center = Double(box.lower) + (Double(position) + 0.5) * scale
            let first = max(Int(center - support + 0.5), 0)
            let last = min(Int(center + support + 0.5), sourceSize)
            weights.removeAll(keepingCapacity: true)
            var sum = 0.0
            for source in 0..<max(last - first, 0) {
                let weight = filter.weight((Double(source + first) - center + 0.5) * inverse)
                weights.append(weight)
                sum += weight
            }
            offsets.append(high.count)
            starts.append(first)
            counts.append(weights.count)
            end = max(end, last)
            for index in stride(from: 0, to: weights.count, by: 2) {
                let pair = SIMD2(
                    Self.fixed(weights[index], sum),
                    index + 1 < weights.count ? Self.fixed(weights[index + 1], sum) : 0)
                high.append(SIMD2(truncatingIfNeeded: pair &>> 8))
                low.append(SIMD2(truncatingIfNeeded: pair & 255))
            }
        }
        let start = starts.min() ?? 0
        starts = starts.map { $0 - start }
        sourceStart = start
        sourceCount = end - start
    }

    private static func fixed(_ weight: Double, _ sum: Double) -> Int32 {
        let scaled = (sum == 0 ? weight : weight / sum) * Double(1 << precisionBits)
        return Int32(scaled < 0 ? scaled - 0.5 : scaled + 0.5)
    }
}
