import CTorch
import ConcordCore

/// An n-dimensional array on a device, with automatic differentiation: a reference to a libtorch tensor.
///
/// Shape, element type and device are run-time values. A tensor is not `Sendable`: one thread owns it, and hands it
/// over with `sending`. Operations trap on programmers' mistakes with libtorch's message and the line of the call;
/// inside ``withTensorErrors(_:)`` they do not, and the first failure is thrown at the end of the scope.
///
/// Axes may be negative and then count from the last. Numbers are `Double`; one without a fraction counts as an
/// integer, so `indices + 1` stays an integer tensor.
public final class Tensor {
    /// The libtorch tensor with one reference; nil is the undefined tensor.
    package let handle: OpaquePointer?

    /// Takes over one reference.
    package init(handle: OpaquePointer?) {
        self.handle = handle
    }

    deinit { ctorch_release(handle) }

    /// The result of an operation that failed inside ``withTensorErrors(_:)``. Operations on it do nothing.
    public static var undefined: Tensor { Tensor(handle: nil) }

    /// Whether this is a tensor, and not the result of a failed operation.
    public var isDefined: Bool { handle != nil }

    /// The length of every axis.
    public var shape: [Int] {
        let rank = ctorch_rank(handle)
        return [Int](unsafeUninitializedCapacity: rank) { buffer, count in
            ctorch_sizes(handle, buffer.baseAddress)
            count = rank
        }
    }

    /// The length of one axis, without making an array.
    public func size(_ axis: Int) -> Int {
        let size = ctorch_size(handle, axis)
        precondition(size >= 0, "axis \(axis) is outside a tensor of shape \(shape)")
        return size
    }

    /// The number of axes.
    public var rank: Int { ctorch_rank(handle) }

    /// The number of elements.
    public var scalarCount: Int { ctorch_count(handle) }

    /// The element type.
    ///
    /// Complex tensors (from ``rfft(count:axis:file:line:)``) have none here: convert them with
    /// ``complexAsReal(file:line:)`` first.
    public var dtype: DType {
        guard isDefined else { return .float32 }
        guard let dtype = DType(code: ctorch_dtype(handle)) else {
            preconditionFailure("this tensor has elements of a type that DType does not name, such as complex numbers")
        }
        return dtype
    }

    /// The device of the elements.
    public var device: Device { Device(ctorch_device_of(handle)) }

    /// Whether the elements are in row-major order without gaps.
    package var isContiguous: Bool { ctorch_is_contiguous(handle) }

    /// Whether both tensors are views of the same memory.
    package func sharesMemory(with other: Tensor) -> Bool { ctorch_is_alias(handle, other.handle) }
}

extension Tensor: CustomStringConvertible {
    /// The elements, shape and type, for debugging. Long tensors are printed in full.
    public var description: String {
        var text: UnsafeMutablePointer<CChar>?
        guard ctorch_describe(handle, &text) == CTORCH_OK, let text else { return "Tensor(undefined)" }
        defer { ctorch_free(text) }
        return String(cString: text)
    }
}

/// The handles of tensors, for a C call. The tensors outlive the call because `perform` uses them after it.
func handles(_ tensors: [Tensor]) -> [OpaquePointer?] {
    tensors.map(\.handle)
}
