// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
import CTorch
import ConcordCore

extension Tensor {
    /// The sum of all elements, 0-d.
    public func sum(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("sum", [.tensor(self)], [:], file, line) {
            ctorch_sum(handle, $0)
        }
    }

    /// The sums over `axes`.
    public func sum(
        axes: [Int], keepingAxes: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("sum.dim_IntList", [.tensor(self)], ["dim": .ints(axes), "keepdim": .bool(keepingAxes)], file, line) {
            ctorch_sum_dim_IntList(handle, axes, axes.count, keepingAxes, $0)
        }
    }

    /// The mean of all elements, 0-d.
    public func mean(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("mean", [.tensor(self)], [:], file, line) {
            ctorch_mean(handle, $0)
        }
    }

    /// The means over `axes`.
    public func mean(
        axes: [Int], keepingAxes: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("mean.dim", [.tensor(self)], ["dim": .ints(axes), "keepdim": .bool(keepingAxes)], file, line) {
            ctorch_mean_dim(handle, axes, axes.count, keepingAxes, $0)
        }
    }

    /// The product of all elements, 0-d.
    public func product(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("prod", [.tensor(self)], [:], file, line) {
            ctorch_prod(handle, $0)
        }
    }

    /// The products along `axis`.
    public func product(
        axis: Int, keepingAxis: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("prod.dim_int", [.tensor(self)], ["dim": .int(axis), "keepdim": .bool(keepingAxis)], file, line) {
            ctorch_prod_dim_int(handle, axis, keepingAxis, $0)
        }
    }

    /// The variances over `axes`; `unbiased` divides by the count less one.
    public func variance(
        axes: [Int], unbiased: Bool = true, keepingAxes: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "var.dim", [.tensor(self)],
            ["dim": .ints(axes), "unbiased": .bool(unbiased), "keepdim": .bool(keepingAxes)], file, line
        ) {
            ctorch_var_dim(handle, axes, axes.count, unbiased, keepingAxes, $0)
        }
    }

    /// The standard deviations over `axes`; `unbiased` divides by the count less one.
    public func standardDeviation(
        axes: [Int], unbiased: Bool = true, keepingAxes: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "std.dim", [.tensor(self)],
            ["dim": .ints(axes), "unbiased": .bool(unbiased), "keepdim": .bool(keepingAxes)], file, line
        ) {
            ctorch_std_dim(handle, axes, axes.count, unbiased, keepingAxes, $0)
        }
    }

    /// The largest of all elements, 0-d.
    public func max(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("max", [.tensor(self)], [:], file, line) {
            ctorch_max(handle, $0)
        }
    }

    /// The smallest of all elements, 0-d.
    public func min(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("min", [.tensor(self)], [:], file, line) {
            ctorch_min(handle, $0)
        }
    }

    /// The largest element along `axis` and its int64 index.
    public func maximum(
        axis: Int, keepingAxes: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> (values: Tensor, indices: Tensor) {
        performPair("max.dim", [.tensor(self)], ["dim": .int(axis), "keepdim": .bool(keepingAxes)], file, line) {
            ctorch_max_dim(handle, axis, keepingAxes, $0, $1)
        }
    }

    /// The smallest element along `axis` and its int64 index.
    public func minimum(
        axis: Int, keepingAxes: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> (values: Tensor, indices: Tensor) {
        performPair("min.dim", [.tensor(self)], ["dim": .int(axis), "keepdim": .bool(keepingAxes)], file, line) {
            ctorch_min_dim(handle, axis, keepingAxes, $0, $1)
        }
    }

    /// The largest elements over `axes`; ties share the gradient.
    public func max(
        axes: [Int], keepingAxes: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("amax", [.tensor(self)], ["dim": .ints(axes), "keepdim": .bool(keepingAxes)], file, line) {
            ctorch_amax(handle, axes, axes.count, keepingAxes, $0)
        }
    }

    /// The smallest elements over `axes`; ties share the gradient.
    public func min(
        axes: [Int], keepingAxes: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("amin", [.tensor(self)], ["dim": .ints(axes), "keepdim": .bool(keepingAxes)], file, line) {
            ctorch_amin(handle, axes, axes.count, keepingAxes, $0)
        }
    }

    /// The int64 index of the largest element along `axis`; nil looks at the flattened tensor.
    public func argmax(
        axis: Int?, keepingAxes: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("argmax", [.tensor(self)], ["dim": .int(axis), "keepdim": .bool(keepingAxes)], file, line) {
            ctorch_argmax(handle, axis ?? 0, axis != nil, keepingAxes, $0)
        }
    }

    /// The int64 index of the smallest element along `axis`; nil looks at the flattened tensor.
    public func argmin(
        axis: Int?, keepingAxes: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("argmin", [.tensor(self)], ["dim": .int(axis), "keepdim": .bool(keepingAxes)], file, line) {
            ctorch_argmin(handle, axis ?? 0, axis != nil, keepingAxes, $0)
        }
    }

    /// Whether one element is true (not zero), a boolean 0-d.
    public func any(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("any", [.tensor(self)], [:], file, line) {
            ctorch_any(handle, $0)
        }
    }

    /// Whether one element along `axis` is true (not zero), as booleans.
    public func any(axis: Int, keepingAxes: Bool = false, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("any.dim", [.tensor(self)], ["dim": .int(axis), "keepdim": .bool(keepingAxes)], file, line) {
            ctorch_any_dim(handle, axis, keepingAxes, $0)
        }
    }

    /// Whether every element is true (not zero), a boolean 0-d.
    public func all(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("all", [.tensor(self)], [:], file, line) {
            ctorch_all(handle, $0)
        }
    }

    /// Whether every element along `axis` is true (not zero), as booleans.
    public func all(axis: Int, keepingAxes: Bool = false, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("all.dim", [.tensor(self)], ["dim": .int(axis), "keepdim": .bool(keepingAxes)], file, line) {
            ctorch_all_dim(handle, axis, keepingAxes, $0)
        }
    }

    /// The running sums along `axis`.
    public func cumulativeSum(axis: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("cumsum", [.tensor(self)], ["dim": .int(axis)], file, line) {
            ctorch_cumsum(handle, axis, $0)
        }
    }

    /// The p-norms over `axes`.
    public func norm(
        p: Double = 2, axes: [Int]? = nil, keepingAxes: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "linalg_vector_norm", [.tensor(self)],
            ["ord": .double(p), "dim": .ints(axes), "keepdim": .bool(keepingAxes)], file, line
        ) {
            ctorch_linalg_vector_norm(handle, p, axes, axes?.count ?? -1, keepingAxes, $0)
        }
    }

    /// The logarithm of the summed exponentials over `axes`, without overflow.
    public func logSumExp(
        axes: [Int], keepingAxes: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("logsumexp", [.tensor(self)], ["dim": .ints(axes), "keepdim": .bool(keepingAxes)], file, line) {
            ctorch_logsumexp(handle, axes, axes.count, keepingAxes, $0)
        }
    }

    /// The exponentials along `axis`, scaled to sum to one.
    public func softmax(axis: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("softmax.int", [.tensor(self)], ["dim": .int(axis)], file, line) {
            ctorch_softmax_int(handle, axis, $0)
        }
    }

    /// The logarithm of the softmax along `axis`, exact for small probabilities.
    public func logSoftmax(axis: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("log_softmax.int", [.tensor(self)], ["dim": .int(axis)], file, line) {
            ctorch_log_softmax_int(handle, axis, $0)
        }
    }

    /// The elements sorted along `axis`, equal ones in their old order, and their int64 indices.
    public func sorted(
        axis: Int = -1, descending: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> (values: Tensor, indices: Tensor) {
        performPair("sort.stable", [.tensor(self)], ["dim": .int(axis), "descending": .bool(descending)], file, line) {
            ctorch_sort_stable(handle, axis, descending, $0, $1)
        }
    }

    /// The int64 indices that sort `axis`, equal elements in their old order.
    public func argsort(
        axis: Int = -1, descending: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("argsort.stable", [.tensor(self)], ["dim": .int(axis), "descending": .bool(descending)], file, line) {
            ctorch_argsort_stable(handle, axis, descending, $0)
        }
    }

    /// The `count` largest (or smallest) elements along `axis`, best first, and their int64 indices.
    public func topK(
        _ count: Int, axis: Int = -1, largest: Bool = true, file: StaticString = #fileID, line: UInt = #line
    ) -> (values: Tensor, indices: Tensor) {
        performPair(
            "topk", [.tensor(self)], ["k": .int(count), "dim": .int(axis), "largest": .bool(largest)], file, line
        ) {
            ctorch_topk(handle, count, axis, largest, $0, $1)
        }
    }

    /// How often each non-negative integer occurs (or its summed weight), at least `minimumLength` long.
    public func countsOfValues(
        weights: Tensor? = nil, minimumLength: Int = 0, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("bincount", [.tensor(self), .optional(weights)], ["minlength": .int(minimumLength)], file, line) {
            ctorch_bincount(handle, weights?.handle, minimumLength, $0)
        }
    }

    /// The distinct elements sorted, the index of every element among them, and how often each occurs.
    public func unique(
        file: StaticString = #fileID, line: UInt = #line
    ) -> (values: Tensor, inverse: Tensor, counts: Tensor) {
        performTriple("_unique2", [.tensor(self)], [:], file, line) {
            ctorch_unique2(handle, $0, $1, $2)
        }
    }
}
