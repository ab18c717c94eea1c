// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
import CTorch
import ConcordCore

extension Tensor {
    /// Where the elements are equal, as booleans, broadcast.
    public func equal(to other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("eq.Tensor", [.tensor(self), .tensor(other)], [:], file, line) {
            ctorch_eq_Tensor(handle, other.handle, $0)
        }
    }

    /// Where the elements equal `other`, as booleans.
    public func equal(to other: Double, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("eq.Scalar", [.tensor(self)], ["other": .double(other)], file, line) {
            ctorch_eq_Scalar(handle, other, $0)
        }
    }

    /// Where the elements differ, as booleans, broadcast.
    public func notEqual(to other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("ne.Tensor", [.tensor(self), .tensor(other)], [:], file, line) {
            ctorch_ne_Tensor(handle, other.handle, $0)
        }
    }

    /// Where the elements differ from `other`, as booleans.
    public func notEqual(to other: Double, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("ne.Scalar", [.tensor(self)], ["other": .double(other)], file, line) {
            ctorch_ne_Scalar(handle, other, $0)
        }
    }

    /// Where the elements are greater than those of `other`, as booleans, broadcast.
    public func greater(than other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("gt.Tensor", [.tensor(self), .tensor(other)], [:], file, line) {
            ctorch_gt_Tensor(handle, other.handle, $0)
        }
    }

    /// Where the elements are greater than `other`, as booleans.
    public func greater(than other: Double, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("gt.Scalar", [.tensor(self)], ["other": .double(other)], file, line) {
            ctorch_gt_Scalar(handle, other, $0)
        }
    }

    /// Where the elements are at least those of `other`, as booleans, broadcast.
    public func greaterOrEqual(to other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("ge.Tensor", [.tensor(self), .tensor(other)], [:], file, line) {
            ctorch_ge_Tensor(handle, other.handle, $0)
        }
    }

    /// Where the elements are at least `other`, as booleans.
    public func greaterOrEqual(to other: Double, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("ge.Scalar", [.tensor(self)], ["other": .double(other)], file, line) {
            ctorch_ge_Scalar(handle, other, $0)
        }
    }

    /// Where the elements are less than those of `other`, as booleans, broadcast.
    public func less(than other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("lt.Tensor", [.tensor(self), .tensor(other)], [:], file, line) {
            ctorch_lt_Tensor(handle, other.handle, $0)
        }
    }

    /// Where the elements are less than `other`, as booleans.
    public func less(than other: Double, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("lt.Scalar", [.tensor(self)], ["other": .double(other)], file, line) {
            ctorch_lt_Scalar(handle, other, $0)
        }
    }

    /// Where the elements are at most those of `other`, as booleans, broadcast.
    public func lessOrEqual(to other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("le.Tensor", [.tensor(self), .tensor(other)], [:], file, line) {
            ctorch_le_Tensor(handle, other.handle, $0)
        }
    }

    /// Where the elements are at most `other`, as booleans.
    public func lessOrEqual(to other: Double, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("le.Scalar", [.tensor(self)], ["other": .double(other)], file, line) {
            ctorch_le_Scalar(handle, other, $0)
        }
    }

    /// Where both are true (not zero), as booleans, broadcast.
    public func logicalAnd(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("logical_and", [.tensor(self), .tensor(other)], [:], file, line) {
            ctorch_logical_and(handle, other.handle, $0)
        }
    }

    /// Where one or both are true (not zero), as booleans, broadcast.
    public func logicalOr(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("logical_or", [.tensor(self), .tensor(other)], [:], file, line) {
            ctorch_logical_or(handle, other.handle, $0)
        }
    }

    /// Where the element is false (zero), as booleans.
    public func logicalNot(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("logical_not", [.tensor(self)], [:], file, line) {
            ctorch_logical_not(handle, $0)
        }
    }

    /// Elements of `first` where `condition` holds, else of `second`, broadcast.
    public static func `where`(
        _ condition: Tensor, _ first: Tensor, _ second: Tensor, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("where.self", [.tensor(condition), .tensor(first), .tensor(second)], [:], file, line) {
            ctorch_where_self(condition.handle, first.handle, second.handle, $0)
        }
    }

    /// Elements of `first` where `condition` holds, else the number `second`, broadcast.
    public static func `where`(
        _ condition: Tensor, _ first: Tensor, _ second: Double, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("where.ScalarOther", [.tensor(condition), .tensor(first)], ["other": .double(second)], file, line) {
            ctorch_where_ScalarOther(condition.handle, first.handle, second, $0)
        }
    }

    /// The number `first` where `condition` holds, else elements of `second`, broadcast.
    public static func `where`(
        _ condition: Tensor, _ first: Double, _ second: Tensor, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("where.ScalarSelf", [.tensor(condition), .tensor(second)], ["self": .double(first)], file, line) {
            ctorch_where_ScalarSelf(condition.handle, first, second.handle, $0)
        }
    }

    /// A copy with `value` wherever `mask` is true.
    public func maskedFilled(
        _ mask: Tensor, _ value: Double, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("masked_fill.Scalar", [.tensor(self), .tensor(mask)], ["value": .double(value)], file, line) {
            ctorch_masked_fill_Scalar(handle, mask.handle, value, $0)
        }
    }

    /// A copy with the 0-d tensor `value` wherever `mask` is true.
    public func maskedFilled(
        _ mask: Tensor, _ value: Tensor, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("masked_fill.Tensor", [.tensor(self), .tensor(mask), .tensor(value)], [:], file, line) {
            ctorch_masked_fill_Tensor(handle, mask.handle, value.handle, $0)
        }
    }

    /// The elements where `mask` is true, in row-major order `[count]`.
    public func maskedSelected(_ mask: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("masked_select", [.tensor(self), .tensor(mask)], [:], file, line) {
            ctorch_masked_select(handle, mask.handle, $0)
        }
    }

    /// The indices of the elements that are not zero, int64 `[count, rank]`.
    public func nonzero(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("nonzero", [.tensor(self)], [:], file, line) {
            ctorch_nonzero(handle, $0)
        }
    }
}
