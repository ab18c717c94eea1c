/// A two-pass resize of RGB8 pixels, equal to Pillow's `Image.resize` to the last bit: fixed-point weights of 22 bits,
/// rows first, rounding to bytes between the passes. Only the output region asked for is computed.
struct Resampler {
    /// The first pixel of the source; rows lie `rowBytes` apart.
    let source: UnsafePointer<UInt8>
    let rowBytes: Int
    let horizontal: ResampleWeights
    let vertical: ResampleWeights

    /// 16 rows (or 16 bytes of a row) are computed at once.
    private static let lanes = 16

    /// Writes the output region, `[vertical.starts.count, horizontal.starts.count, 3]`.
    func write(to target: UnsafeMutablePointer<UInt8>) {
        let (width, height) = (horizontal.starts.count, vertical.starts.count)
        // Padded, so that whole groups of 16 can be written at the right and bottom ends.
        let stride = Self.padded(width * 3)
        let rows = Self.padded(vertical.sourceCount)
        let middle = UnsafeMutablePointer<UInt8>.allocate(capacity: stride * rows)
        defer { middle.deallocate() }
        filterRows(into: middle, stride: stride)
        let row = UnsafeMutablePointer<UInt8>.allocate(capacity: stride)
        defer { row.deallocate() }
        vertical.high.withUnsafeBufferPointer { high in
            vertical.low.withUnsafeBufferPointer { low in
                guard let high = high.baseAddress, let low = low.baseAddress else { return }
                for y in 0..<height {
                    let (start, count, offset) = (vertical.starts[y], vertical.counts[y], vertical.offsets[y])
                    let column = UnsafePointer(middle) + start * stride
                    for x in Swift.stride(from: 0, to: stride, by: Self.lanes) {
                        weightedSum(
                            column + x, stride: stride, count: count, high: high + offset, low: low + offset,
                            into: row + x)
                    }
                    (target + y * width * 3).update(from: row, count: width * 3)
                }
            }
        }
    }

    private static func padded(_ count: Int) -> Int { (count + lanes - 1) / lanes * lanes }

    /// The first pass, over the source rows that the second will read: `[rows, width, 3]`.
    ///
    /// 16 rows are transposed, so that one instruction works on the same column of all of them.
    private func filterRows(into middle: UnsafeMutablePointer<UInt8>, stride: Int) {
        let lanes = Self.lanes
        let width = horizontal.starts.count
        let columnBytes = horizontal.sourceCount * 3
        let columns = UnsafeMutablePointer<UInt8>.allocate(capacity: Self.padded(columnBytes) * lanes)
        defer { columns.deallocate() }
        let filtered = UnsafeMutablePointer<UInt8>.allocate(capacity: stride * lanes)
        defer { filtered.deallocate() }
        filtered.initialize(repeating: 0, count: stride * lanes)
        let scratch = UnsafeMutablePointer<UInt8>.allocate(capacity: 2 * lanes * lanes)
        defer { scratch.deallocate() }
        let first = source + vertical.sourceStart * rowBytes + horizontal.sourceStart * 3
        let rows = vertical.sourceCount
        horizontal.high.withUnsafeBufferPointer { high in
            horizontal.low.withUnsafeBufferPointer { low in
                guard let high = high.baseAddress, let low = low.baseAddress else { return }
                for top in Swift.stride(from: 0, to: rows, by: lanes) {
                    // Past the end the last row stands in; what comes of it is never read.
                    let row = { (index: Int) in first + min(top + index, rows - 1) * rowBytes }
                    transposeColumns(row, columnBytes, into: columns, scratch: scratch)
                    for x in 0..<width {
                        let column = UnsafePointer(columns) + horizontal.starts[x] * 3 * lanes
                        let (count, offset) = (horizontal.counts[x], horizontal.offsets[x])
                        for channel in 0..<3 {
                            weightedSum(
                                column + channel * lanes, stride: 3 * lanes, count: count, high: high + offset,
                                low: low + offset, into: filtered + (x * 3 + channel) * lanes)
                        }
                    }
                    for x in Swift.stride(from: 0, to: stride, by: lanes) {
                        transpose16(
                            scratch: scratch, from: { UnsafePointer(filtered) + (x + $0) * lanes },
                            to: { middle + (top + $0) * stride + x })
                    }
                }
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
            transpose16(scratch: scratch, from: { row($0) + x }, to: { columns + (x + $0) * lanes })
        }
        // One by one at the right end: a group of 16 could reach past the last pixel of the picture.
        for x in whole..<count {
            for index in 0..<lanes { columns[x * lanes + index] = row(index)[x] }
        }
    }
}
