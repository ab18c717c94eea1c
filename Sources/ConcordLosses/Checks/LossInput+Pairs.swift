import ConcordCore
import ConcordTensor

extension LossInput {
    /// - Throws: `.invalidArgument` unless the number is finite.
    static func checkFiniteNumber(_ value: Double, _ name: String) throws(ConcordError) {
        guard value.isFinite else {
            throw ConcordError(.invalidArgument, "\(name) is \(value); it must be a finite number")
        }
    }

    /// Embeddings to compare with are `[columns, width]`, as wide as the rows, with their labels; or there are none.
    ///
    /// - Throws: `.invalidArgument` when one of the two is missing, or what the checks of both throw.
    static func checkReference(
        _ reference: Tensor?, labels referenceLabels: Tensor?, ownRows: Tensor?, of embeddings: Tensor
    ) throws(ConcordError) {
        guard let reference else {
            guard referenceLabels == nil, ownRows == nil else {
                let name = referenceLabels == nil ? "ownRows" : "referenceLabels"
                throw ConcordError(.invalidArgument, "\(name) is given without reference; give both or neither")
            }
            return
        }
        guard let referenceLabels else {
            throw ConcordError(
                .invalidArgument,
                "reference of shape \(reference.shape) is given without referenceLabels; give both or neither")
        }
        try checkEmbeddings(reference, "reference")
        try checkLabels(referenceLabels, "referenceLabels", of: reference, "reference")
        try checkComparable(embeddings, "embeddings", reference, "reference")
        guard let ownRows else { return }
        try checkLabels(ownRows, "ownRows", of: embeddings, "embeddings")
        let rows = reference.size(0)
        guard let (value, place) = firstValue(of: ownRows, outside: -1..<rows) else { return }
        throw ConcordError(
            .invalidArgument,
            "ownRows of shape \(ownRows.shape) holds \(value) at [\(place)]; with a reference of \(rows) rows it must be in "
                + "0..<\(rows), or -1 for none")
    }

    /// The first number of an int64 tensor that is not in a range, and its place; nil when all are.
    private static func firstValue(of numbers: Tensor, outside range: Range<Int>) -> (value: Int, place: Int)? {
        let isInside =
            numbers.min().item() >= Double(range.lowerBound) && numbers.max().item() < Double(range.upperBound)
        guard !isInside else { return nil }
        let values = numbers.scalars(as: Int.self)
        return values.firstIndex { !range.contains($0) }.map { (values[$0], $0) }
    }

    /// As ``checkSameWidth(_:_:_:_:)``, but half precision beside float32 will do, since losses widen both.
    ///
    /// - Throws: `.shapeMismatch` or `.dtypeMismatch`.
    static func checkComparable(
        _ first: Tensor, _ firstName: String, _ second: Tensor, _ secondName: String
    ) throws(ConcordError) {
        guard first.shape.last == second.shape.last else {
            throw ConcordError(
                .shapeMismatch,
                "\(firstName) has shape \(first.shape) and \(secondName) \(second.shape); their last axes must be "
                    + "equally long")
        }
        let widths = (first.dtype == .float64, second.dtype == .float64)
        guard widths.0 == widths.1, first.device == second.device else {
            throw ConcordError(
                .dtypeMismatch,
                "\(firstName) is \(first.dtype.rawValue) on \(first.device) and \(secondName) "
                    + "\(second.dtype.rawValue) on \(second.device); convert one with to(_:)")
        }
    }

    /// Labels are int64 `[count]` and name one of `classes` classes.
    ///
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, or `.invalidArgument` with the first index that is wrong.
    static func checkClassLabels(
        _ labels: Tensor, of embeddings: Tensor, classes: Int
    ) throws(ConcordError) {
        try checkLabels(labels, "labels", of: embeddings, "embeddings")
        guard let (value, place) = firstValue(of: labels, outside: 0..<classes) else { return }
        throw ConcordError(
            .invalidArgument,
            "labels of shape \(labels.shape) holds \(value) at [\(place)]; with \(classes) classes it must be "
                + "in 0..<\(classes)")
    }

    /// Numbers that a person or a teacher gave, of a floating-point type or int64, of the given shape, and finite.
    ///
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch` or `.nonFiniteValue`.
    static func checkScores(
        _ scores: Tensor, _ name: String, shape: [Int], of embeddings: Tensor, _ embeddingsName: String
    ) throws(ConcordError) {
        guard scores.shape == shape else {
            throw ConcordError(
                .shapeMismatch,
                "\(name) has shape \(scores.shape); \(embeddingsName) of shape \(embeddings.shape) need \(shape)")
        }
        guard scores.dtype.isFloatingPoint || scores.dtype == .int64, scores.device == embeddings.device else {
            throw ConcordError(
                .dtypeMismatch,
                "\(name) is \(scores.dtype.rawValue) on \(scores.device); it must be of a floating-point type or int64 "
                    + "on \(embeddings.device)")
        }
        try checkFinite(scores, name)
    }

    /// Two views of a batch, alike and of at least two rows, as statistics over a batch need.
    ///
    /// - Throws: what ``checkEmbeddings(_:_:rank:)`` and ``checkAlike(_:_:_:_:)`` throw, or `.shapeMismatch` for a single
    ///   row.
    static func checkViews(_ first: Tensor, _ second: Tensor) throws(ConcordError) {
        try checkEmbeddings(first, "first")
        try checkEmbeddings(second, "second")
        try checkAlike(first, "first", second, "second")
        guard first.size(0) > 1 else {
            throw ConcordError(
                .shapeMismatch,
                "first has shape \(first.shape): the variance over a batch needs at least two rows; leave a batch of "
                    + "one out")
        }
    }
}
