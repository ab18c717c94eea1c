import ConcordCore
import ConcordTensor
import Foundation

/// Checks of the arguments of losses. Each error names the argument, its shape, and the first wrong index.
enum LossInput {
    /// Embeddings are `[count, width]` of a floating-point type, with neither axis empty, and finite.
    ///
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch` or `.nonFiniteValue`.
    static func checkEmbeddings(_ tensor: Tensor, _ name: String, rank: Int = 2) throws(ConcordError) {
        try checkVectors(tensor, name, rank: rank)
        try checkNotEmpty(tensor, name)
        try checkFinite(tensor, name)
    }

    /// Rank and dtype alone, for a process that may hold no sample of a batch.
    static func checkVectors(_ tensor: Tensor, _ name: String, rank: Int = 2) throws(ConcordError) {
        let shape = tensor.shape
        guard shape.count == rank else {
            let expected = rank == 2 ? "[count, width]" : "[anchors, count, width]"
            throw ConcordError(.shapeMismatch, "\(name) has shape \(shape); it must be \(expected)")
        }
        guard tensor.dtype.isFloatingPoint else {
            throw ConcordError(
                .dtypeMismatch,
                "\(name) of shape \(shape) is \(tensor.dtype.rawValue); embeddings must be of a floating-point type")
        }
    }

    static func checkNotEmpty(_ tensor: Tensor, _ name: String) throws(ConcordError) {
        guard tensor.scalarCount > 0 else {
            throw ConcordError(
                .emptyBatch, "\(name) has shape \(tensor.shape): there is nothing to compare; skip such a batch")
        }
    }

    /// - Throws: `.nonFiniteValue` with the index of the first element that is NaN or infinite.
    static func checkFinite(_ tensor: Tensor, _ name: String) throws(ConcordError) {
        // The sum is finite when all elements are, unless it overflows; one pass without a mask is the usual case.
        guard !withoutGradient({ tensor.detached().sum().item() }).isFinite else { return }
        let wrong = withoutGradient { tensor.detached().isFinite().logicalNot().nonzero() }
        guard wrong.size(0) > 0 else { return }
        let place = wrong.selected(axis: 0, at: 0).scalars(as: Int.self)
        let value = place.reduce(tensor.detached()) { $0.selected(axis: 0, at: $1) }.item()
        throw ConcordError(
            .nonFiniteValue,
            "\(name) of shape \(tensor.shape) holds \(value) at \(place); \(wrong.size(0)) of its elements are not "
                + "finite. Check for a learning rate that is too high, or an input with NaN")
    }

    /// - Throws: `.shapeMismatch`, or `.dtypeMismatch` when element types or devices differ.
    static func checkAlike(
        _ first: Tensor, _ firstName: String, _ second: Tensor, _ secondName: String
    ) throws(ConcordError) {
        guard first.shape == second.shape else {
            throw ConcordError(
                .shapeMismatch,
                "\(firstName) has shape \(first.shape) and \(secondName) \(second.shape); they must be equal")
        }
        try checkSameKind(first, firstName, second, secondName)
    }

    /// - Throws: `.shapeMismatch` when the last axes differ, or `.dtypeMismatch` when element types or devices do.
    static func checkSameWidth(
        _ first: Tensor, _ firstName: String, _ second: Tensor, _ secondName: String
    ) throws(ConcordError) {
        try checkComparable(first, firstName, second, secondName)
        try checkSameKind(first, firstName, second, secondName)
    }

    /// As ``checkSameWidth(_:_:_:_:)``, but allows half precision beside float32, since losses widen both.
    ///
    /// - Throws: `.shapeMismatch` or `.dtypeMismatch`.
    static func checkComparable(
        _ first: Tensor, _ firstName: String, _ second: Tensor, _ secondName: String
    ) throws(ConcordError) {
        guard first.shape.last == second.shape.last else {
            throw ConcordError(
                .shapeMismatch,
                "\(firstName) has shape \(first.shape) and \(secondName) \(second.shape); their last axes must have "
                    + "the same length")
        }
        let areWide = (first.dtype == .float64, second.dtype == .float64)
        guard areWide.0 == areWide.1, first.device == second.device else {
            throw kindMismatch(first, firstName, second, secondName)
        }
    }

    static func checkSameKind(
        _ first: Tensor, _ firstName: String, _ second: Tensor, _ secondName: String
    ) throws(ConcordError) {
        guard first.dtype == second.dtype, first.device == second.device else {
            throw kindMismatch(first, firstName, second, secondName)
        }
    }

    private static func kindMismatch(
        _ first: Tensor, _ firstName: String, _ second: Tensor, _ secondName: String
    ) -> ConcordError {
        ConcordError(
            .dtypeMismatch,
            "\(firstName) is \(first.dtype.rawValue) on \(first.device) and \(secondName) \(second.dtype.rawValue) on "
                + "\(second.device); convert one with to(_:)")
    }

    /// Labels are int64 `[count]`, one for each embedding, on the same device.
    ///
    /// - Throws: `.shapeMismatch` or `.dtypeMismatch`.
    static func checkLabels(
        _ labels: Tensor, _ name: String, of embeddings: Tensor, _ embeddingsName: String
    ) throws(ConcordError) {
        guard labels.shape == [embeddings.size(0)] else {
            throw ConcordError(
                .shapeMismatch,
                "\(name) has shape \(labels.shape); \(embeddingsName) of shape \(embeddings.shape) need "
                    + "[\(embeddings.size(0))]")
        }
        guard labels.dtype == .int64, labels.device == embeddings.device else {
            throw ConcordError(
                .dtypeMismatch,
                "\(name) is \(labels.dtype.rawValue) on \(labels.device); it must be int64 on \(embeddings.device)")
        }
    }

    /// - Throws: `.invalidArgument` unless the number is finite and in `range`.
    static func checkNumber(_ value: Double, _ name: String, _ range: PartialRangeFrom<Double>) throws(ConcordError) {
        guard value.isFinite, range.contains(value) else {
            throw ConcordError(
                .invalidArgument, "\(name) is \(value); it must be a finite number of at least \(range.lowerBound)")
        }
    }

    /// - Throws: `.invalidArgument` unless the number is finite and above zero.
    static func checkPositive(_ value: Double, _ name: String) throws(ConcordError) {
        guard value.isFinite, value > 0 else {
            throw ConcordError(.invalidArgument, "\(name) is \(value); it must be a finite number above 0")
        }
    }

    /// A temperature is above 0, and its reciprocal, the logit scale, fits in float32.
    ///
    /// - Throws: `.invalidArgument`.
    static func checkTemperature(_ value: Double, _ name: String) throws(ConcordError) {
        try checkPositive(value, name)
        guard Float(1 / value).isFinite else {
            throw ConcordError(
                .invalidArgument,
                "\(name) is \(value), and its reciprocal overflows float32; temperatures are about 0.01 to 1")
        }
    }

    /// A logit scale is one finite number whose exponential fits in float32.
    ///
    /// - Throws: `.shapeMismatch` or `.nonFiniteValue`.
    static func checkLogitScale(_ parameter: Tensor) throws(ConcordError) {
        let value = try checkLogitParameter(parameter, "logitScale")
        guard Float(exp(value)).isFinite else {
            throw ConcordError(
                .nonFiniteValue,
                "logitScale is \(value), and its exponential overflows float32. It is the logarithm of the logit scale; "
                    + "while it learns, keep it at or below ln 100 = 4.6")
        }
    }

    /// A logit scale or bias is one finite number, which is returned.
    ///
    /// - Throws: `.shapeMismatch` or `.nonFiniteValue`.
    @discardableResult
    static func checkLogitParameter(_ parameter: Tensor, _ name: String) throws(ConcordError) -> Double {
        guard parameter.shape.isEmpty else {
            throw ConcordError(.shapeMismatch, "\(name) has shape \(parameter.shape); it must be one number, []")
        }
        let value = withoutGradient { parameter.item() }
        guard value.isFinite else {
            throw ConcordError(.nonFiniteValue, "\(name) is \(value); it must be a finite number")
        }
        return value
    }

    /// Finite inputs give a finite loss unless intermediate values overflow.
    ///
    /// - Throws: `.nonFiniteValue`.
    static func checkResult(_ loss: Tensor) throws(ConcordError) -> Tensor {
        let sum = withoutGradient { loss.detached().sum().item() }
        guard !sum.isFinite else { return loss }
        throw ConcordError(
            .nonFiniteValue,
            "the loss is \(sum) though its inputs are finite: products of embeddings, scales, margins or weights overflow "
                + "\(loss.dtype.rawValue). Normalize the embeddings, or lower the scale, margin or weight")
    }
}

extension LossInput {
    /// - Throws: `.invalidArgument` unless the number is finite.
    static func checkFiniteNumber(_ value: Double, _ name: String) throws(ConcordError) {
        guard value.isFinite else {
            throw ConcordError(.invalidArgument, "\(name) is \(value); it must be a finite number")
        }
    }

    /// Embeddings to compare with are `[columns, width]`, as wide as the rows, with their labels; or there are none.
    ///
    /// - Throws: `.invalidArgument` when one of the two is missing, or the errors of both checks.
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

    /// Scores of a person or a teacher are finite numbers of a floating-point type or int64, of the given shape.
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

    /// Two views of a batch have the same shape and at least two rows, as statistics over a batch need.
    ///
    /// - Throws: the errors of ``checkEmbeddings(_:_:rank:)`` and ``checkAlike(_:_:_:_:)``; `.shapeMismatch` for a
    ///   single row.
    static func checkViews(_ first: Tensor, _ second: Tensor) throws(ConcordError) {
        try checkEmbeddings(first, "first")
        try checkEmbeddings(second, "second")
        try checkAlike(first, "first", second, "second")
        guard first.size(0) > 1 else {
            throw ConcordError(
                .shapeMismatch,
                "first has shape \(first.shape): the variance over a batch needs at least two rows; skip a batch of one"
            )
        }
    }
}
