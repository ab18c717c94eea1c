import ConcordCore
import ConcordTensor

/// What keeps losses from the few digits of half precision.
enum FullPrecision {
    /// The tensor in float64 if it is that, else in float32; gradients flow back through the conversion.
    static func widened(_ tensor: Tensor) -> Tensor {
        tensor.dtype == .float64 ? tensor : tensor.to(.float32)
    }

    /// Runs `body` without automatic conversion of matrix products to half precision.
    static func run<Result>(on device: Device, _ body: () -> Result) -> Result {
        autocast(.bfloat16, on: device.kind, enabled: false, body)
    }
}
