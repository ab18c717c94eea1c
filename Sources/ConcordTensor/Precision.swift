import ConcordCore

/// The type that matrix products, convolutions and attention compute in. Weights, gradients, embeddings, losses and the
/// optimizer's state are float32 in each.
public enum Precision: String, Sendable, Hashable, CaseIterable {
    case float32, bfloat16
    /// Its gradients need a loss scale: values below 6e-8 become 0, those above 65,504 infinite.
    case float16
    /// bfloat16 on a GPU, float32 on a CPU.
    case auto

    /// The type of the products on a device.
    ///
    /// `auto` is float32 also on a CPU that has instructions for bfloat16: small models train slower with them, and a
    /// recipe should train the same model on every CPU.
    package func dtype(on device: Device) -> DType {
        switch self {
        case .float32: .float32
        case .bfloat16: .bfloat16
        case .float16: .float16
        case .auto: device.kind == .cpu ? .float32 : .bfloat16
        }
    }

    /// Runs `body` with products on `device` in this precision, also inside a scope of another. The backward pass belongs
    /// outside.
    public func autocast<Result, Failure: Error>(
        on device: Device, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let dtype = dtype(on: device)
        guard dtype != .float32 else { return try withoutAutocast(on: device.kind, body) }
        return try ConcordTensor.autocast(dtype, on: device.kind, body)
    }

    /// A note for the user of a device that has no instructions for this precision; nil where it has.
    package func note(on device: Device) -> String? {
        let dtype = dtype(on: device)
        guard device == .cpu, !TorchRuntime.hasFastProducts(of: dtype) else { return nil }
        return
            "this CPU has no \(dtype.rawValue) instructions: products are rounded to \(dtype.rawValue) and computed in "
            + "float32, which is slower than float32 alone"
    }
}
