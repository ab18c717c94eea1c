// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
import CTorch
import ConcordCore

extension Tensor {
    /// The exponential of every element.
    public func exp(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("exp", [.tensor(self)], [:], file, line) {
            ctorch_exp(handle, $0)
        }
    }

    /// `exp(x) - 1`, exact for small elements.
    public func expm1(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("expm1", [.tensor(self)], [:], file, line) {
            ctorch_expm1(handle, $0)
        }
    }

    /// The natural logarithm of every element.
    public func log(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("log", [.tensor(self)], [:], file, line) {
            ctorch_log(handle, $0)
        }
    }

    /// `log(1 + x)`, exact for small elements.
    public func log1p(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("log1p", [.tensor(self)], [:], file, line) {
            ctorch_log1p(handle, $0)
        }
    }

    /// The logarithm to base 2 of every element.
    public func log2(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("log2", [.tensor(self)], [:], file, line) {
            ctorch_log2(handle, $0)
        }
    }

    /// The square root of every element.
    public func sqrt(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("sqrt", [.tensor(self)], [:], file, line) {
            ctorch_sqrt(handle, $0)
        }
    }

    /// One over the square root of every element.
    public func rsqrt(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("rsqrt", [.tensor(self)], [:], file, line) {
            ctorch_rsqrt(handle, $0)
        }
    }

    /// The square of every element.
    public func square(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("square", [.tensor(self)], [:], file, line) {
            ctorch_square(handle, $0)
        }
    }

    /// One over every element.
    public func reciprocal(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("reciprocal", [.tensor(self)], [:], file, line) {
            ctorch_reciprocal(handle, $0)
        }
    }

    /// Every element to the power `exponent`.
    public func pow(_ exponent: Double, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("pow.Tensor_Scalar", [.tensor(self)], ["exponent": .double(exponent)], file, line) {
            ctorch_pow_Tensor_Scalar(handle, exponent, $0)
        }
    }

    /// Every element to the power of its partner in `exponent`, broadcast.
    public func pow(_ exponent: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("pow.Tensor_Tensor", [.tensor(self), .tensor(exponent)], [:], file, line) {
            ctorch_pow_Tensor_Tensor(handle, exponent.handle, $0)
        }
    }

    /// The number `base` to the power of every element.
    public static func pow(
        _ base: Double, _ exponent: Tensor, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("pow.Scalar", [.tensor(exponent)], ["self": .double(base)], file, line) {
            ctorch_pow_Scalar(base, exponent.handle, $0)
        }
    }

    /// The absolute value of every element.
    public func abs(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("abs", [.tensor(self)], [:], file, line) {
            ctorch_abs(handle, $0)
        }
    }

    /// -1, 0 or 1 for every element.
    public func sign(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("sign", [.tensor(self)], [:], file, line) {
            ctorch_sign(handle, $0)
        }
    }

    /// Every element with its sign turned; also the prefix operator `-`.
    public func neg(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("neg", [.tensor(self)], [:], file, line) {
            ctorch_neg(handle, $0)
        }
    }

    /// The sine of every element, in radians.
    public func sin(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("sin", [.tensor(self)], [:], file, line) {
            ctorch_sin(handle, $0)
        }
    }

    /// The cosine of every element, in radians.
    public func cos(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("cos", [.tensor(self)], [:], file, line) {
            ctorch_cos(handle, $0)
        }
    }

    /// The hyperbolic tangent of every element.
    public func tanh(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("tanh", [.tensor(self)], [:], file, line) {
            ctorch_tanh(handle, $0)
        }
    }

    /// `1 / (1 + exp(-x))` of every element.
    public func sigmoid(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("sigmoid", [.tensor(self)], [:], file, line) {
            ctorch_sigmoid(handle, $0)
        }
    }

    /// Every element, with negative ones replaced by zero.
    public func relu(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("relu", [.tensor(self)], [:], file, line) {
            ctorch_relu(handle, $0)
        }
    }

    /// Every element, with negative ones scaled by `negativeSlope`.
    public func leakyReLU(negativeSlope: Double = 0.01, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("leaky_relu", [.tensor(self)], ["negative_slope": .double(negativeSlope)], file, line) {
            ctorch_leaky_relu(handle, negativeSlope, $0)
        }
    }

    /// Positive elements as they are, and `alpha * (exp(x) - 1)` of the others.
    public func elu(alpha: Double = 1, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("elu", [.tensor(self)], ["alpha": .double(alpha)], file, line) {
            ctorch_elu(handle, alpha, $0)
        }
    }

    /// `x * sigmoid(x)` of every element.
    public func silu(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("silu", [.tensor(self)], [:], file, line) {
            ctorch_silu(handle, $0)
        }
    }

    /// The error function of every element.
    public func erf(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("erf", [.tensor(self)], [:], file, line) {
            ctorch_erf(handle, $0)
        }
    }

    /// `log(1 + exp(beta * x)) / beta`; above `threshold` (for `beta * x`) the element itself.
    public func softplus(
        beta: Double = 1, threshold: Double = 20, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("softplus", [.tensor(self)], ["beta": .double(beta), "threshold": .double(threshold)], file, line) {
            ctorch_softplus(handle, beta, threshold, $0)
        }
    }

    /// The logarithm of the sigmoid of every element, exact for large negative ones.
    public func logSigmoid(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("log_sigmoid", [.tensor(self)], [:], file, line) {
            ctorch_log_sigmoid(handle, $0)
        }
    }

    /// Every element, moved into `min...max`; nil leaves that side open.
    public func clamped(
        min: Double? = nil, max: Double? = nil, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("clamp", [.tensor(self)], ["min": .double(min), "max": .double(max)], file, line) {
            ctorch_clamp(handle, min ?? 0, min != nil, max ?? 0, max != nil, $0)
        }
    }

    /// `self + weight * (to - self)`.
    public func lerp(to: Tensor, weight: Double, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("lerp.Scalar", [.tensor(self), .tensor(to)], ["weight": .double(weight)], file, line) {
            ctorch_lerp_Scalar(handle, to.handle, weight, $0)
        }
    }

    /// The larger of each pair of elements, broadcast.
    public func maximum(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("maximum", [.tensor(self), .tensor(other)], [:], file, line) {
            ctorch_maximum(handle, other.handle, $0)
        }
    }

    /// The smaller of each pair of elements, broadcast.
    public func minimum(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("minimum", [.tensor(self), .tensor(other)], [:], file, line) {
            ctorch_minimum(handle, other.handle, $0)
        }
    }

    /// The larger of each pair of elements, broadcast.
    public static func maximum(
        _ first: Tensor, _ second: Tensor, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("maximum", [.tensor(first), .tensor(second)], [:], file, line) {
            ctorch_maximum(first.handle, second.handle, $0)
        }
    }

    /// The smaller of each pair of elements, broadcast.
    public static func minimum(
        _ first: Tensor, _ second: Tensor, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("minimum", [.tensor(first), .tensor(second)], [:], file, line) {
            ctorch_minimum(first.handle, second.handle, $0)
        }
    }

    /// Every element, rounded down.
    public func floor(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("floor", [.tensor(self)], [:], file, line) {
            ctorch_floor(handle, $0)
        }
    }

    /// Every element, rounded up.
    public func ceil(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("ceil", [.tensor(self)], [:], file, line) {
            ctorch_ceil(handle, $0)
        }
    }

    /// Every element, rounded to the nearest integer, halves to the even one.
    public func round(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("round", [.tensor(self)], [:], file, line) {
            ctorch_round(handle, $0)
        }
    }

    /// Every element without its fraction.
    public func trunc(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("trunc", [.tensor(self)], [:], file, line) {
            ctorch_trunc(handle, $0)
        }
    }

    /// The remainder of every element divided by `other`, with the sign of `other`.
    public func remainder(dividingBy other: Double, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("remainder.Scalar", [.tensor(self)], ["other": .double(other)], file, line) {
            ctorch_remainder_Scalar(handle, other, $0)
        }
    }

    /// Every element divided by `other`, rounded down.
    public func floorDivided(by other: Double, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("floor_divide.Scalar", [.tensor(self)], ["other": .double(other)], file, line) {
            ctorch_floor_divide_Scalar(handle, other, $0)
        }
    }

    /// `log(exp(a) + exp(b))` of each pair of elements, without overflow.
    public func logAddExp(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("logaddexp", [.tensor(self), .tensor(other)], [:], file, line) {
            ctorch_logaddexp(handle, other.handle, $0)
        }
    }

    /// Which elements are not a number, as booleans.
    public func isNaN(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("isnan", [.tensor(self)], [:], file, line) {
            ctorch_isnan(handle, $0)
        }
    }

    /// Which elements are neither infinite nor not a number, as booleans.
    public func isFinite(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("isfinite", [.tensor(self)], [:], file, line) {
            ctorch_isfinite(handle, $0)
        }
    }

    /// Every element, with those that are not a number replaced, and infinities by the largest finite values.
    public func replacingNaN(with: Double = 0, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("nan_to_num", [.tensor(self)], ["nan": .double(with)], file, line) {
            ctorch_nan_to_num(handle, with, true, $0)
        }
    }

    /// `self + scale * other`, broadcast.
    public func adding(_ other: Tensor, scale: Double, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("add.Tensor", [.tensor(self), .tensor(other)], ["alpha": .double(scale)], file, line) {
            ctorch_add_Tensor(handle, other.handle, scale, $0)
        }
    }

    /// `self + scale * first * second`, broadcast.
    public func addingProduct(
        of first: Tensor, _ second: Tensor, scale: Double = 1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("addcmul", [.tensor(self), .tensor(first), .tensor(second)], ["value": .double(scale)], file, line) {
            ctorch_addcmul(handle, first.handle, second.handle, scale, $0)
        }
    }
}
