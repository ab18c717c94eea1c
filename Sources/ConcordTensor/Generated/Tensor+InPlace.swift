// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
import CTorch
import ConcordCore

extension Tensor {
    /// Overwrites the elements with those of `source`, converted and broadcast.
    public func copy(from source: Tensor, file: StaticString = #fileID, line: UInt = #line) {
        performInPlace("copy_", [.tensor(self), .tensor(source)], [:], file, line) {
            ctorch_copy_(handle, source.handle)
        }
    }

    /// Overwrites every element with `value`.
    public func fill(_ value: Double, file: StaticString = #fileID, line: UInt = #line) {
        performInPlace("fill_.Scalar", [.tensor(self)], ["value": .double(value)], file, line) {
            ctorch_fill__Scalar(handle, value)
        }
    }

    /// Overwrites every element with zero.
    public func zero(file: StaticString = #fileID, line: UInt = #line) {
        performInPlace("zero_", [.tensor(self)], [:], file, line) {
            ctorch_zero_(handle)
        }
    }

    /// Adds `scale * other`, broadcast, in place.
    public func formAdd(_ other: Tensor, scale: Double = 1, file: StaticString = #fileID, line: UInt = #line) {
        performInPlace("add_.Tensor", [.tensor(self), .tensor(other)], ["alpha": .double(scale)], file, line) {
            ctorch_add__Tensor(handle, other.handle, scale)
        }
    }

    /// Adds a number to every element in place.
    public func formAdd(_ other: Double, file: StaticString = #fileID, line: UInt = #line) {
        performInPlace("add_.Scalar", [.tensor(self)], ["other": .double(other)], file, line) {
            ctorch_add__Scalar(handle, other)
        }
    }

    /// Multiplies every element by a number in place.
    public func formMultiply(_ other: Double, file: StaticString = #fileID, line: UInt = #line) {
        performInPlace("mul_.Scalar", [.tensor(self)], ["other": .double(other)], file, line) {
            ctorch_mul__Scalar(handle, other)
        }
    }

    /// Multiplies by the elements of `other`, broadcast, in place.
    public func formMultiply(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) {
        performInPlace("mul_.Tensor", [.tensor(self), .tensor(other)], [:], file, line) {
            ctorch_mul__Tensor(handle, other.handle)
        }
    }

    /// Replaces every element x by eˣ in place.
    public func formExp(file: StaticString = #fileID, line: UInt = #line) {
        performInPlace("exp_", [.tensor(self)], [:], file, line) {
            ctorch_exp_(handle)
        }
    }

    /// Replaces the elements by `keeping * self + scale * left · right` in place; `keeping` 0 ignores what was there.
    public func formAddMatrixProduct(
        of left: Tensor, _ right: Tensor, keeping beta: Double = 1, scale: Double = 1, file: StaticString = #fileID,
        line: UInt = #line
    ) {
        performInPlace(
            "addmm_", [.tensor(self), .tensor(left), .tensor(right)],
            ["beta": .double(beta), "alpha": .double(scale)], file, line
        ) {
            ctorch_addmm_(handle, left.handle, right.handle, beta, scale)
        }
    }

    /// Divides by the elements of `other`, broadcast, in place.
    public func formDivide(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) {
        performInPlace("div_.Tensor", [.tensor(self), .tensor(other)], [:], file, line) {
            ctorch_div__Tensor(handle, other.handle)
        }
    }

    /// Moves every element into `min...max` in place; nil leaves that side open.
    public func formClamp(min: Double? = nil, max: Double? = nil, file: StaticString = #fileID, line: UInt = #line) {
        performInPlace("clamp_", [.tensor(self)], ["min": .double(min), "max": .double(max)], file, line) {
            ctorch_clamp_(handle, min ?? 0, min != nil, max ?? 0, max != nil)
        }
    }

    /// Moves every element towards `to` by the fraction `weight`, in place.
    public func formLerp(to: Tensor, weight: Double, file: StaticString = #fileID, line: UInt = #line) {
        performInPlace("lerp_.Scalar", [.tensor(self), .tensor(to)], ["weight": .double(weight)], file, line) {
            ctorch_lerp__Scalar(handle, to.handle, weight)
        }
    }

    /// Adds `scale * first * second` in place.
    public func formAddProduct(
        of first: Tensor, _ second: Tensor, scale: Double = 1, file: StaticString = #fileID, line: UInt = #line
    ) {
        performInPlace(
            "addcmul_", [.tensor(self), .tensor(first), .tensor(second)], ["value": .double(scale)], file, line
        ) {
            ctorch_addcmul_(handle, first.handle, second.handle, scale)
        }
    }

    /// Adds `scale * first / second` in place.
    public func formAddQuotient(
        of first: Tensor, _ second: Tensor, scale: Double = 1, file: StaticString = #fileID, line: UInt = #line
    ) {
        performInPlace(
            "addcdiv_", [.tensor(self), .tensor(first), .tensor(second)], ["value": .double(scale)], file, line
        ) {
            ctorch_addcdiv_(handle, first.handle, second.handle, scale)
        }
    }

    /// Overwrites the elements where `mask` is true with `value`.
    public func formMaskedFill(_ mask: Tensor, _ value: Double, file: StaticString = #fileID, line: UInt = #line) {
        performInPlace("masked_fill_.Scalar", [.tensor(self), .tensor(mask)], ["value": .double(value)], file, line) {
            ctorch_masked_fill__Scalar(handle, mask.handle, value)
        }
    }

    /// Adds the slices of `source` to the slices of `axis` that `indices` `[count]` names, in place.
    public func formIndexAdd(
        axis: Int, _ indices: Tensor, _ source: Tensor, scale: Double = 1, file: StaticString = #fileID,
        line: UInt = #line
    ) {
        performInPlace(
            "index_add_", [.tensor(self), .tensor(indices), .tensor(source)],
            ["dim": .int(axis), "alpha": .double(scale)], file, line
        ) {
            ctorch_index_add_(handle, axis, indices.handle, source.handle, scale)
        }
    }

    /// Overwrites the slices of `axis` that `indices` `[count]` names with those of `source`.
    public func formIndexCopy(
        axis: Int, _ indices: Tensor, _ source: Tensor, file: StaticString = #fileID, line: UInt = #line
    ) {
        performInPlace(
            "index_copy_", [.tensor(self), .tensor(indices), .tensor(source)], ["dim": .int(axis)], file, line
        ) {
            ctorch_index_copy_(handle, axis, indices.handle, source.handle)
        }
    }

    /// Overwrites every element with a draw from a normal distribution.
    public func fillNormal(
        mean: Double = 0, standardDeviation: Double = 1, generator: Generator?, file: StaticString = #fileID,
        line: UInt = #line
    ) {
        performInPlace(
            "normal_", [.tensor(self)],
            ["mean": .double(mean), "std": .double(standardDeviation), "generator": .generator(generator)], file, line
        ) {
            ctorch_normal_(handle, mean, standardDeviation, generator?.handle)
        }
    }

    /// Overwrites every element with a draw from the uniform distribution on `from..<to`.
    public func fillUniform(
        from: Double = 0, to: Double = 1, generator: Generator?, file: StaticString = #fileID, line: UInt = #line
    ) {
        performInPlace(
            "uniform_", [.tensor(self)],
            ["from": .double(from), "to": .double(to), "generator": .generator(generator)], file, line
        ) {
            ctorch_uniform_(handle, from, to, generator?.handle)
        }
    }

    /// Overwrites every element with one, with the given probability, or else zero.
    public func fillBernoulli(
        probability: Double, generator: Generator?, file: StaticString = #fileID, line: UInt = #line
    ) {
        performInPlace(
            "bernoulli_.float", [.tensor(self)],
            ["p": .double(probability), "generator": .generator(generator)], file, line
        ) {
            ctorch_bernoulli__float(handle, probability, generator?.handle)
        }
    }
}
