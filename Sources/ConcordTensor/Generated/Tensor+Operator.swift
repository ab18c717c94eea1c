// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
import CTorch
import ConcordCore

extension Tensor {
    /// The sums of the elements, broadcast.
    public static func + (left: Tensor, right: Tensor) -> Tensor {
        perform("add.Tensor", [.tensor(left), .tensor(right)], [:], "", 0) {
            ctorch_add_Tensor(left.handle, right.handle, 1, $0)
        }
    }

    /// Every element plus a number. An integral number leaves integer tensors integer.
    public static func + (left: Tensor, right: Double) -> Tensor {
        perform("add.Scalar", [.tensor(left)], ["other": .double(right)], "", 0) {
            ctorch_add_Scalar(left.handle, right, $0)
        }
    }

    /// A number plus every element.
    public static func + (left: Double, right: Tensor) -> Tensor {
        perform("add.Scalar", [.tensor(right)], ["other": .double(left)], "", 0) {
            ctorch_add_Scalar(right.handle, left, $0)
        }
    }

    /// The differences of the elements, broadcast.
    public static func - (left: Tensor, right: Tensor) -> Tensor {
        perform("sub.Tensor", [.tensor(left), .tensor(right)], [:], "", 0) {
            ctorch_sub_Tensor(left.handle, right.handle, $0)
        }
    }

    /// Every element less a number.
    public static func - (left: Tensor, right: Double) -> Tensor {
        perform("sub.Scalar", [.tensor(left)], ["other": .double(right)], "", 0) {
            ctorch_sub_Scalar(left.handle, right, $0)
        }
    }

    /// A number less every element.
    public static func - (left: Double, right: Tensor) -> Tensor {
        perform("rsub.Scalar", [.tensor(right)], ["other": .double(left)], "", 0) {
            ctorch_rsub_Scalar(right.handle, left, $0)
        }
    }

    /// The products of the elements, broadcast.
    public static func * (left: Tensor, right: Tensor) -> Tensor {
        perform("mul.Tensor", [.tensor(left), .tensor(right)], [:], "", 0) {
            ctorch_mul_Tensor(left.handle, right.handle, $0)
        }
    }

    /// Every element times a number.
    public static func * (left: Tensor, right: Double) -> Tensor {
        perform("mul.Scalar", [.tensor(left)], ["other": .double(right)], "", 0) {
            ctorch_mul_Scalar(left.handle, right, $0)
        }
    }

    /// A number times every element.
    public static func * (left: Double, right: Tensor) -> Tensor {
        perform("mul.Scalar", [.tensor(right)], ["other": .double(left)], "", 0) {
            ctorch_mul_Scalar(right.handle, left, $0)
        }
    }

    /// The quotients of the elements, broadcast. Integers give floating-point quotients.
    public static func / (left: Tensor, right: Tensor) -> Tensor {
        perform("div.Tensor", [.tensor(left), .tensor(right)], [:], "", 0) {
            ctorch_div_Tensor(left.handle, right.handle, $0)
        }
    }

    /// Every element divided by a number.
    public static func / (left: Tensor, right: Double) -> Tensor {
        perform("div.Scalar", [.tensor(left)], ["other": .double(right)], "", 0) {
            ctorch_div_Scalar(left.handle, right, $0)
        }
    }

    /// Every element with its sign turned.
    public static prefix func - (operand: Tensor) -> Tensor {
        perform("neg", [.tensor(operand)], [:], "", 0) {
            ctorch_neg(operand.handle, $0)
        }
    }
}
