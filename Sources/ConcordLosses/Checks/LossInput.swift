import ConcordCore
import ConcordTensor
import Foundation

/// Checks of what callers hand to losses. Each error names the argument, its shape, and the first index that is wrong.
enum LossInput {
    /// Embeddings are `[count, width]` of a floating-point type, with neither axis empty, and finite.
    ///
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch` or `.nonFiniteValue`.
    static func checkEmbeddings(_ tensor: Tensor, _ name: String, rank: Int = 2) throws(ConcordError) {
        try checkVectors(tensor, name, rank: rank)
        try checkNotEmpty(tensor, name)
        try checkFinite(tensor, name)
    }

    /// Rank and dtype alone: for a process that may hold no sample of a batch.
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
                .emptyBatch, "\(name) has shape \(tensor.shape): there is nothing to compare; leave such a batch out")
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
                + "finite. Look for a learning rate that is too high, or an input that is not a number")
    }

    /// - Throws: `.shapeMismatch`, or `.dtypeMismatch` when element types or devices differ.
    static func checkAlike(
        _ first: Tensor, _ firstName: String, _ second: Tensor, _ secondName: String
    ) throws(ConcordError) {
        guard first.shape == second.shape else {
            throw ConcordError(
                .shapeMismatch,
                "\(firstName) has shape \(first.shape) and \(secondName) \(second.shape); they must be alike")
        }
        try checkSameKind(first, firstName, second, secondName)
    }

    /// - Throws: `.shapeMismatch` when the last axes differ, or `.dtypeMismatch` when element types or devices do.
    static func checkSameWidth(
        _ first: Tensor, _ firstName: String, _ second: Tensor, _ secondName: String
    ) throws(ConcordError) {
        guard first.shape.last == second.shape.last else {
            throw ConcordError(
                .shapeMismatch,
                "\(firstName) has shape \(first.shape) and \(secondName) \(second.shape); their last axes must be "
                    + "equally long")
        }
        try checkSameKind(first, firstName, second, secondName)
    }

    static func checkSameKind(
        _ first: Tensor, _ firstName: String, _ second: Tensor, _ secondName: String
    ) throws(ConcordError) {
        guard first.dtype == second.dtype, first.device == second.device else {
            throw ConcordError(
                .dtypeMismatch,
                "\(firstName) is \(first.dtype.rawValue) on \(first.device) and \(secondName) "
                    + "\(second.dtype.rawValue) on \(second.device); convert one with to(_:)")
        }
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

    /// What scores are divided by: above 0, and so that what they are multiplied by is a number of float32.
    ///
    /// - Throws: `.invalidArgument`.
    static func checkTemperature(_ value: Double, _ name: String) throws(ConcordError) {
        try checkPositive(value, name)
        guard Float(1 / value).isFinite else {
            throw ConcordError(
                .invalidArgument,
                "\(name) is \(value), and one over it is beyond float32; temperatures are about 0.01 to 1")
        }
    }

    /// A logit scale is one finite number whose exponential is a number of float32.
    ///
    /// - Throws: `.shapeMismatch` or `.nonFiniteValue`.
    static func checkLogitScale(_ parameter: Tensor) throws(ConcordError) {
        let value = try checkLogitParameter(parameter, "logitScale")
        guard Float(exp(value)).isFinite else {
            throw ConcordError(
                .nonFiniteValue,
                "logitScale is \(value), and its exponential, the factor on scores, is beyond float32. It is the logarithm "
                    + "of the factor; while it learns, keep it at or below ln 100 = 4.6")
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

    /// Inputs that are finite give a loss that is, unless numbers on the way grow beyond their type.
    ///
    /// - Throws: `.nonFiniteValue`.
    static func checkResult(_ loss: Tensor) throws(ConcordError) -> Tensor {
        let sum = withoutGradient { loss.detached().sum().item() }
        guard !sum.isFinite else { return loss }
        throw ConcordError(
            .nonFiniteValue,
            "the loss is \(sum) though its inputs are finite: products of embeddings, scales, margins or weights are beyond "
                + "\(loss.dtype.rawValue). Normalise the embeddings, or lower what they are multiplied by")
    }
}
