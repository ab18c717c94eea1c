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
        // One by one at the right end: a group of 16 could reach past the last pixel of the picture.
        for x in whole..<count {
            for index in 0..<lanes { columns[x * lanes + index] = row(index)[x] }
        }
    }
}
