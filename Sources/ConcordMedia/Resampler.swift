/// A two-pass resize of RGB8 pixels, equal to Pillow's `Image.resize` to the last bit: fixed-point weights of 22 bits,
/// rounding to bytes between the passes. Only the output region asked for is computed.
struct Resampler<Kernel: ResampleKernel> {
    /// The first pixel of the source; rows lie `rowBytes` apart.
    let source: UnsafePointer<UInt8>
    let rowBytes: Int
    let horizontal: ResampleWeights
    let vertical: ResampleWeights
    /// Whether columns are filtered before rows. The passes round in between, so their order shows in the result.
    let columnsFirst: Bool

    /// 16 rows (or 16 bytes of a row) are computed at once.
    private static var lanes: Int { 16 }

    /// Writes the output region, `[vertical.starts.count, horizontal.starts.count, 3]`.
    func write(to target: UnsafeMutablePointer<UInt8>) {
        let (width, height) = (horizontal.starts.count, vertical.starts.count)
        let first = source + vertical.sourceStart * rowBytes + horizontal.sourceStart * 3
        if columnsFirst {
            let stride = horizontal.sourceCount * 3
            withScratch(stride * height) { middle in
                filterColumns(from: first, stride: rowBytes, bytes: stride, to: middle)
                filterRows(from: middle, stride: stride, rows: height) { row, result in
                    (target + row * width * 3).update(from: result, count: width * 3)
                }
            }
        } else {
            withScratch(width * 3 * vertical.sourceCount) { middle in
                filterRows(from: first, stride: rowBytes, rows: vertical.sourceCount) { row, result in
                    (middle + row * width * 3).update(from: result, count: width * 3)
                }
                filterColumns(from: middle, stride: width * 3, bytes: width * 3, to: target)
            }
        }
    }

    private func withScratch(_ count: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Void) {
        let scratch = UnsafeMutablePointer<UInt8>.allocate(capacity: count)
        defer { scratch.deallocate() }
        body(scratch)
    }

    /// The vertical pass: each target row, of `bytes` bytes, is a weighted sum of source rows.
    private func filterColumns(
        from source: UnsafePointer<UInt8>, stride: Int, bytes: Int, to target: UnsafeMutablePointer<UInt8>
    ) {
        let lanes = Self.lanes
        vertical.withWeights { high, low in
            for y in vertical.starts.indices {
                let column = source + vertical.starts[y] * stride
                let (count, offset) = (vertical.counts[y], vertical.offsets[y])
                let row = target + y * bytes
                guard bytes >= lanes else {
                    for x in 0..<bytes {
                        row[x] = Kernel.weightedByte(
                            column + x, stride: stride, count: count, high: high + offset, low: low + offset)
                    }
                    continue
                }
                for x in Swift.stride(from: 0, to: bytes, by: lanes) {
                    // The last group overlaps the one before it, so that none reaches past the row.
                    let start = min(x, bytes - lanes)
                    Kernel.weightedSum(
                        column + start, stride: stride, count: count, high: high + offset, low: low + offset,
                        into: row + start)
                }
            }
        }
    }

    /// The horizontal pass: hands each filtered row, `[width, 3]`, to `body`.
    ///
    /// 16 rows are transposed, so that one instruction works on the same column of all of them.
    private func filterRows(
        from source: UnsafePointer<UInt8>, stride: Int, rows: Int,
        _ body: (_ row: Int, _ result: UnsafePointer<UInt8>) -> Void
    ) {
        let lanes = Self.lanes
        let width = horizontal.starts.count
        let bytes = horizontal.sourceCount * 3
        let paddedBytes = (width * 3 + lanes - 1) / lanes * lanes
        let columns = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes * lanes)
        let filtered = UnsafeMutablePointer<UInt8>.allocate(capacity: paddedBytes * lanes)
        let results = UnsafeMutablePointer<UInt8>.allocate(capacity: paddedBytes * lanes)
        let scratch = UnsafeMutablePointer<UInt8>.allocate(capacity: 2 * lanes * lanes)
        filtered.initialize(repeating: 0, count: paddedBytes * lanes)
        defer { for buffer in [columns, filtered, results, scratch] { buffer.deallocate() } }
        horizontal.withWeights { high, low in
            for top in Swift.stride(from: 0, to: rows, by: lanes) {
                // Past the end the last row stands in; what comes of it is not used.
                let row = { (index: Int) in source + min(top + index, rows - 1) * stride }
                transposeColumns(row, bytes, into: columns, scratch: scratch)
                for x in 0..<width {
                    let column = UnsafePointer(columns) + horizontal.starts[x] * 3 * lanes
                    let (count, offset) = (horizontal.counts[x], horizontal.offsets[x])
                    for channel in 0..<3 {
                        Kernel.weightedSum(
                            column + channel * lanes, stride: 3 * lanes, count: count, high: high + offset,
                            low: low + offset, into: filtered + (x * 3 + channel) * lanes)
                    }
                }
                for x in Swift.stride(from: 0, to: paddedBytes, by: lanes) {
                    Kernel.transpose16(
                        scratch: scratch, from: { UnsafePointer(filtered) + (x + $0) * lanes },
                        to: { results + $0 * paddedBytes + x })
                }
                for index in 0..<min(lanes, rows - top) { body(top + index, results + index * paddedBytes) }
            }
        }
    }

    /// Turns 16 rows of `count` bytes into `count` columns of 16 bytes.
    @inline(__always)
    private func transposeColumns(
        _ row: (Int) -> UnsafePointer<UInt8>, _ count: Int, into columns: UnsafeMutablePointer<UInt8>,
        scratch: UnsafeMutablePointer<UInt8>
    ) {
        let lanes = Self.lanes
        let whole = count / lanes * lanes
        for x in Swift.stride(from: 0, to: whole, by: lanes) {
            Kernel.transpose16(scratch: scratch, from: { row($0) + x }, to: { columns + (x + $0) * lanes })
        }
        // One by one at the right end: a group of 16 could reach past the last pixel of the image.
        for x in whole..<count {
            for index in 0..<lanes { columns[x * lanes + index] = row(index)[x] }
        }
    }
}

/// The weights of one axis of a resize: for each output position, where its source pixels start and how much each
/// counts, as Pillow's fixed-point numbers of 22 bits.
///
/// Each weight is stored as `high · 256 + low`, with `high` a signed and `low` an unsigned small number, because
/// products of 16-bit numbers are the fastest that every CPU has. Weights come in pairs of neighbors, padded with 0.
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
    /// The number of source positions, from `sourceStart`, that are read.
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

    /// Calls `body` with the addresses of the halves of the weights.
    @inline(__always)
    func withWeights(_ body: (UnsafePointer<SIMD2<Int16>>, UnsafePointer<SIMD2<Int16>>) -> Void) {
        high.withUnsafeBufferPointer { high in
            low.withUnsafeBufferPointer { low in
                guard let high = high.baseAddress, let low = low.baseAddress else { return }
                body(high, low)
            }
        }
    }

    private static func fixed(_ weight: Double, _ sum: Double) -> Int32 {
        let scaled = (sum == 0 ? weight : weight / sum) * Double(1 << precisionBits)
        return Int32(scaled < 0 ? scaled - 0.5 : scaled + 0.5)
    }
}
