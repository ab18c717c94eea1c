import ConcordTensor

/// Which context each row of a batch asks, so that rows that ask the same, the beams of one picture, share its keys and
/// values.
///
/// Attention to a context treats every asking token alike, so the rows of one context can stand as tokens of one row.
public struct ContextRows {
    /// How many contexts there are, asked or not.
    public let contextCount: Int
    /// The most rows that ask one context.
    private let width: Int
    /// The row in each place `[contexts · width]`, some row where none is; and the place of each row. Nil when the rows
    /// stand there already.
    private let order: (rows: Tensor, places: Tensor)?

    /// - Parameter contexts: the context of each row, below `contextCount`.
    public init(_ contexts: [Int], contextCount: Int, device: Device) {
        self.contextCount = contextCount
        var rows = [[Int64]](repeating: [], count: contextCount)
        for (row, context) in contexts.enumerated() { rows[context].append(Int64(row)) }
        let width = rows.map(\.count).max() ?? 0
        self.width = width
        guard contexts != (0..<contextCount * width).map({ $0 / width }) else {
            order = nil
            return
        }
        var places = [Int64](repeating: 0, count: contexts.count)
        for (context, members) in rows.enumerated() {
            for (place, row) in members.enumerated() { places[Int(row)] = Int64(context * width + place) }
        }
        let padded = rows.flatMap { $0 + [Int64](repeating: 0, count: width - $0.count) }
        order = (Tensor(padded, device: device), Tensor(places, device: device))
    }

    /// `[rows, tokens, width] → [contexts, rows of one · tokens, width]`.
    func grouped(_ x: Tensor) -> Tensor {
        let shape = x.shape
        let placed = order.map { x.indexSelected(axis: 0, $0.rows) } ?? x
        return placed.reshaped([contextCount, width * shape[1], shape[2]])
    }

    /// What ``grouped(_:)`` made of tokens `[rows, tokens, …]` back in the rows' order.
    func ungrouped(_ y: Tensor, tokens: Int) -> Tensor {
        let placed = y.reshaped([contextCount * width, tokens, y.size(2)])
        return order.map { placed.indexSelected(axis: 0, $0.places) } ?? placed
    }
}
