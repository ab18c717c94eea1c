import CTorch
import ConcordCore

// Modes belong to a thread, so their scopes are synchronous closures: after an `await` the code might run on another
// thread, without the mode.

/// Whether operations on this thread record the graph for gradients.
public var isGradientEnabled: Bool { ctorch_gradient_mode() }

/// Runs `body` without recording for gradients.
public func withoutGradient<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    let previous = ctorch_set_gradient_mode(false)
    defer { _ = ctorch_set_gradient_mode(previous) }
    return try body()
}

/// Runs `body` recording for gradients, also inside ``withoutGradient(_:)``.
public func withGradient<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    let previous = ctorch_set_gradient_mode(true)
    defer { _ = ctorch_set_gradient_mode(previous) }
    return try body()
}

/// Runs `body` without recording for gradients and without bookkeeping for views and changes in place.
///
/// A little faster than ``withoutGradient(_:)``, but tensors made here can never take part in gradients: for serving.
public func inferenceMode<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    let guardian = ctorch_begin_inference_mode()
    defer { ctorch_end_inference_mode(guardian) }
    return try body()
}

/// Runs `body` with matrix products and convolutions on `device` in `dtype` (bfloat16 or float16), and operations that
/// need the range, such as losses, in float32.
///
/// Weights are cast once for each outermost scope. The backward pass belongs outside. ``Precision`` opens the scope that
/// a precision asks for.
public func autocast<Result, Failure: Error>(
    _ dtype: DType, on device: Device.Kind = .cpu, _ body: () throws(Failure) -> Result
) throws(Failure) -> Result {
    let previous = ctorch_begin_autocast(device.code, dtype.code, true)
    defer { ctorch_end_autocast(previous) }
    return try body()
}

/// Runs `body` without autocast, whatever its type.
public func withoutAutocast<Result, Failure: Error>(
    on device: Device.Kind = .cpu, _ body: () throws(Failure) -> Result
) throws(Failure) -> Result {
    // The type of a scope that is off does not matter.
    let previous = ctorch_begin_autocast(device.code, DType.float32.code, false)
    defer { ctorch_end_autocast(previous) }
    return try body()
}

/// Runs `body` with the products of autocast computed as on a CPU without instructions for its type, so that tests see
/// both ways on any CPU.
package func withEmulatedProducts<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure)
    -> Result
{
    let previous = ctorch_set_emulates_products(true)
    defer { _ = ctorch_set_emulates_products(previous) }
    return try body()
}
