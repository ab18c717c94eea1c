/// The rows of a matrix in blocks of about `elements` elements, in order.
struct RowRanges: Sequence {
    let rows: Int
    let step: Int

    init(rows: Int, columns: Int, elements: Int = 1 << 20) {
        self.rows = rows
        step = Swift.max(1, elements / Swift.max(1, columns))
    }

    func makeIterator() -> some IteratorProtocol<Range<Int>> {
        stride(from: 0, to: rows, by: step).lazy.map { $0..<Swift.min($0 + step, rows) }.makeIterator()
    }
}
