import ConcordCore
import ConcordText

/// A model that gives every row the same logits, whatever it reads.
final class FixedSession<Scalar: BinaryFloatingPoint>: DecodingSession {
    let vocabularySize: Int
    let contextLength = 40
    let startToken: Int32 = 0
    let endToken: Int32 = 0
    let padToken: Int32? = nil
    private(set) var rowCount: Int
    private let logits: [Scalar]

    init(_ logits: [Scalar], rows: Int = 1) {
        self.logits = logits
        vocabularySize = logits.count
        rowCount = rows
    }

    func select(rows: [Int]) throws(ConcordError) { rowCount = rows.count }

    func read(
        _ tokens: [Int32], logits body: (TokenLogits) throws(ConcordError) -> Void
    ) throws(ConcordError) {
        // Allocated by hand: the closures of the library's arrays do not throw typed errors.
        func allocate<Element: BinaryFloatingPoint>(_: Element.Type) -> UnsafeMutableBufferPointer<Element> {
            let all = UnsafeMutableBufferPointer<Element>.allocate(capacity: rowCount * vocabularySize)
            for index in all.indices { all.initializeElement(at: index, to: Element(logits[index % vocabularySize])) }
            return all
        }
        if Scalar.self == Double.self {
            let all = allocate(Double.self)
            defer { all.deallocate() }
            try body(.float64(UnsafeBufferPointer(all)))
        } else {
            let all = allocate(Float.self)
            defer { all.deallocate() }
            try body(.float32(UnsafeBufferPointer(all)))
        }
    }
}
