import ConcordCore

extension ProcessGroup {
    /// Makes the gradients of what all ranks share whole: each rank's is its part of the sum.
    ///
    /// - Parameter tensors: leaves, the same on all ranks in the same order; one without a gradient counts as zeros.
    /// - Throws: `.processGroup`.
    public func sumGradients(of tensors: [Tensor]) throws(ConcordError) {
        guard worldSize > 1 else { return }
        for tensor in tensors {
            let gradient = tensor.gradient ?? .zeros(like: tensor.detached())
            try allReduce(gradient)
            tensor.gradient = gradient
        }
    }
}
