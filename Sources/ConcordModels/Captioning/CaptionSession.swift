import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor
import ConcordText

/// ``CoCa`` in the middle of captions, for ``TokenGenerator``: a row for each picture to begin with.
///
/// Pictures are encoded when it is made, and nothing records gradients.
public final class CaptionSession: DecodingSession {
    private let model: CoCa
    private let cache: CaptionCache

    /// - Parameters:
    ///   - pixels: normalised pictures `[batch, 3, size, size]`.
    /// - Throws: `.emptyBatch` without pictures, `.shapeMismatch` for pictures of another size; `.tensorOperation` when the
    ///   model fails.
    public init(_ model: CoCa, pixels: Tensor) throws(ConcordError) {
        let size = model.configuration.vision.imageSize, shape = pixels.shape
        guard shape.first != 0 else { throw ConcordError(.emptyBatch, "no pictures; give one at least") }
        guard shape.count == 4, Array(shape[1...]) == [3, size, size] else {
            throw ConcordError(
                .shapeMismatch,
                "pictures \(shape) for a model that reads [batch, 3, \(size), \(size)]; preprocess them for it")
        }
        self.model = model
        cache = try throwingTensorErrors {
            withoutGradient { model.makeCaptionCache(for: model.encodeImages(pixels).tokens) }
        }
    }

    public var vocabularySize: Int { model.configuration.text.vocabularySize }
    public var contextLength: Int { model.configuration.text.contextLength }
    public var startToken: Int32 { Int32(model.configuration.text.startToken) }
    public var endToken: Int32 { Int32(model.configuration.text.endToken) }
    public var padToken: Int32? {
        let text = model.configuration.text
        return text.padToken == text.endToken ? nil : Int32(text.padToken)
    }
    public var rowCount: Int { cache.rowCount }

    public func select(rows: [Int]) throws(ConcordError) {
        try throwingTensorErrors { cache.select(rows: rows) }
    }

    public func read(
        _ tokens: [Int32], logits body: (TokenLogits) throws(ConcordError) -> Void
    ) throws(ConcordError) {
        let count = tokens.count / rowCount
        try throwingTensorErrors { () throws(ConcordError) in
            let ids = Tensor(tokens.map(Int64.init), shape: [rowCount, count], device: model.languageHead.device)
            let states = try model.states(next: ids, cache: cache)
            let logits = withoutGradient { model.tokenLogits(states.selected(axis: 1, at: -1)) }  // [rows, vocabulary]
            let isDouble = logits.dtype == .float64
            var failure: ConcordError?
            (isDouble ? logits : logits.to(.float32)).withUnsafeBytes { bytes in
                do throws(ConcordError) {
                    try body(
                        isDouble
                            ? .float64(bytes.assumingMemoryBound(to: Double.self))
                            : .float32(bytes.assumingMemoryBound(to: Float.self)))
                } catch {
                    failure = error
                }
            }
            if let failure { throw failure }
        }
    }
}

/// ``withTensorErrors(_:)`` for what throws nothing else than ``ConcordError``.
private func throwingTensorErrors<Result>(
    _ body: () throws(ConcordError) -> Result
) throws(ConcordError) -> Result {
    do {
        return try withTensorErrors(body)
    } catch let error as ConcordError {
        throw error
    } catch {
        throw ConcordError(.tensorOperation, "\(error)")
    }
}
