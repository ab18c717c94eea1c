import CTorch
import ConcordCore

/// A source of random numbers for tensors on one device. The same seed gives the same numbers.
public final class Generator {
    let handle: OpaquePointer?
    /// The device of the tensors that it can fill.
    public let device: Device

    /// A generator for tensors on `device`.
    public init(seed: UInt64, device: Device = .cpu) {
        var handle: OpaquePointer?
        let status = ctorch_generator_create(device.cValue, seed, &handle)
        if status != CTORCH_OK { operationFailed("Generator", status, "", 0) }
        self.handle = handle
        self.device = device
    }

    deinit { ctorch_generator_release(handle) }

    /// Restarts the sequence from `seed`.
    public func seed(_ seed: UInt64) {
        let status = ctorch_generator_seed(handle, seed)
        if status != CTORCH_OK { operationFailed("Generator.seed", status, "", 0) }
    }

    /// The state of the sequence, uint8 `[bytes]`. Setting it continues from there.
    public var state: Tensor {
        get {
            var state: OpaquePointer?
            let status = ctorch_generator_state(handle, &state)
            if status != CTORCH_OK { operationFailed("Generator.state", status, "", 0) }
            return Tensor(handle: state)
        }
        set {
            let status = withExtendedLifetime(newValue) { ctorch_generator_set_state(handle, newValue.handle) }
            if status != CTORCH_OK { operationFailed("Generator.state", status, "", 0) }
        }
    }
}

extension Tensor {
    /// A new tensor of draws from a normal distribution.
    public static func normal(
        _ shape: [Int], mean: Double = 0, standardDeviation: Double = 1, generator: Generator?,
        dtype: DType = .float32, device: Device = .cpu, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let result = empty(shape, dtype: dtype, device: device, file: file, line: line)
        result.fillNormal(
            mean: mean, standardDeviation: standardDeviation, generator: generator, file: file, line: line)
        return result
    }

    /// A new tensor of draws from the uniform distribution on `from..<to`.
    public static func uniform(
        _ shape: [Int], from lower: Double = 0, to upper: Double = 1, generator: Generator?,
        dtype: DType = .float32, device: Device = .cpu, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let result = empty(shape, dtype: dtype, device: device, file: file, line: line)
        result.fillUniform(from: lower, to: upper, generator: generator, file: file, line: line)
        return result
    }

    /// This tensor with elements set to zero with the given probability, and the others scaled up to keep the mean.
    ///
    /// The mask comes from `generator`, so a run with the same seed drops the same elements.
    public func dropout(
        probability: Double, generator: Generator?, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        dropout(probability: probability, file: file, line: line) { mask in
            mask.fillBernoulli(probability: 1 - probability, generator: generator, file: file, line: line)
        }
    }

    /// As ``dropout(probability:generator:file:line:)``, with a mask that `draw` fills with ones and zeros.
    package func dropout(
        probability: Double, file: StaticString = #fileID, line: UInt = #line, _ draw: (_ mask: Tensor) -> Void
    ) -> Tensor {
        precondition((0...1).contains(probability), "a dropout probability is in 0...1, not \(probability)")
        if probability == 0 { return self }
        if probability == 1 { return self * Tensor.zeros(like: self, file: file, line: line) }
        let mask = Tensor.empty(like: self, file: file, line: line)
        draw(mask)
        mask.formMultiply(1 / (1 - probability), file: file, line: line)
        return self * mask
    }
}
