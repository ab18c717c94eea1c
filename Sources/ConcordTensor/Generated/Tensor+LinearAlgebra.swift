// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
import CTorch
import ConcordCore

extension Tensor {
    /// The matrix product of the last two axes `[…, n, k] · […, k, m]`; the other axes broadcast.
    public func matmul(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("matmul", [.tensor(self), .tensor(other)], [:], file, line) {
            ctorch_matmul(handle, other.handle, $0)
        }
    }

    /// `input · weightᵀ + bias` with `input` `[…, in]`, `weight` `[out, in]`, `bias` `[out]`.
    public static func linear(
        _ input: Tensor, weight: Tensor, bias: Tensor? = nil, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("linear", [.tensor(input), .tensor(weight), .optional(bias)], [:], file, line) {
            ctorch_linear(input.handle, weight.handle, bias?.handle, $0)
        }
    }

    /// `beta * self + alpha * first · second` of matrices.
    public func addmm(
        _ first: Tensor, _ second: Tensor, beta: Double = 1, alpha: Double = 1, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        perform(
            "addmm", [.tensor(self), .tensor(first), .tensor(second)],
            ["beta": .double(beta), "alpha": .double(alpha)], file, line
        ) {
            ctorch_addmm(handle, first.handle, second.handle, beta, alpha, $0)
        }
    }

    /// `beta * self + alpha * first · second` of batches of matrices.
    public func baddbmm(
        _ first: Tensor, _ second: Tensor, beta: Double = 1, alpha: Double = 1, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        perform(
            "baddbmm", [.tensor(self), .tensor(first), .tensor(second)],
            ["beta": .double(beta), "alpha": .double(alpha)], file, line
        ) {
            ctorch_baddbmm(handle, first.handle, second.handle, beta, alpha, $0)
        }
    }

    /// The products of every element of this vector with every one of `other`, `[n, m]`.
    public func outer(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("outer", [.tensor(self), .tensor(other)], [:], file, line) {
            ctorch_outer(handle, other.handle, $0)
        }
    }

    /// The reduced QR decomposition of a matrix.
    public static func qr(
        _ matrix: Tensor, file: StaticString = #fileID, line: UInt = #line
    ) -> (q: Tensor, r: Tensor) {
        performPair("linalg_qr", [.tensor(matrix)], [:], file, line) {
            ctorch_linalg_qr(matrix.handle, $0, $1)
        }
    }

    /// The p-norm distance of every row of `self` `[…, n, d]` to every row of `other` `[…, m, d]`: `[…, n, m]`.
    public func pairwiseDistance(
        to other: Tensor, p: Double = 2, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("cdist", [.tensor(self), .tensor(other)], ["p": .double(p)], file, line) {
            ctorch_cdist(handle, other.handle, p, $0)
        }
    }

    /// The cosine of the angle between vectors along `axis`, broadcast.
    public func cosineSimilarity(
        to other: Tensor, axis: Int = -1, epsilon: Double = 1e-8, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "cosine_similarity", [.tensor(self), .tensor(other)],
            ["dim": .int(axis), "eps": .double(epsilon)], file, line
        ) {
            ctorch_cosine_similarity(handle, other.handle, axis, epsilon, $0)
        }
    }
}
