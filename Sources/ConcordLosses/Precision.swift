import ConcordCore
import ConcordTensor

extension Tensor {
    /// The tensor in a type with enough digits for losses: float64 as it is, float32 for all others. Gradients flow
    /// back through the conversion.
    var precise: Tensor { dtype == .float64 ? self : to(.float32) }

    /// The vectors of the last axis divided by their lengths; zero vectors, which have no direction, stay as they are.
    ///
    /// Peers divide zero vectors by 1e-12, which multiplies their gradients by 10¹² and overflows in float16.
    var unitVectors: Tensor {
        let length = norm(p: 2, axes: [-1], keepingAxes: true)
        return self / Tensor.where(length.greater(than: 1e-12), length, 1)
    }

    /// True where the last axis's ``unitVectors`` are not zero; the axis stays, with 1 element.
    var areUnit: Tensor { norm(p: 2, axes: [-1], keepingAxes: true).greater(than: 0.5) }
}

/// A loss, computed by ``withFullPrecision(on:_:)``.
///
/// - Throws: `.nonFiniteValue` where numbers grew beyond their type on the way.
func finiteLoss(on device: Device, _ body: () -> Tensor) throws(ConcordError) -> Tensor {
    try LossInput.checkResult(withFullPrecision(on: device, body))
}

/// Runs `body` without autocast: losses need all digits of scores.
func withFullPrecision<Result, Failure: Error>(
    on device: Device, _ body: () throws(Failure) -> Result
) throws(Failure) -> Result {
    try withoutAutocast(on: device.kind, body)
}
