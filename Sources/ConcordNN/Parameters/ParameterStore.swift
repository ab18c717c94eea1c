import ConcordCheckpoint
import ConcordCore
import ConcordTensor

/// All parameters of one model, in the order its layers made them, and the switches that its layers share.
public final class ParameterStore {
    private enum Source {
        case random(Generator)
        case checkpoint(CheckpointReader)
    }

    private let source: Source
    public let dtype: DType
    public let device: Device
    public private(set) var parameters: [Parameter] = []
    private var expected: [KeyReport.Key] = []
    private var names: Set<String> = []

    /// Whether dropout and patch dropout are active.
    public var isTraining = false
    /// Whether transformer blocks recompute their activations in the backward pass instead of keeping them.
    public var usesActivationCheckpointing = false
    /// What dropout draws from. Seed it at every step, and a resumed run repeats the same masks.
    public let generator: Generator

    /// A store whose parameters are drawn at random from `seed`.
    public init(seed: UInt64, dtype: DType = .float32, device: Device = .cpu) {
        source = .random(Generator(seed: seed))
        self.dtype = dtype
        self.device = device
        generator = Generator(seed: seed, device: device)
    }

    /// A store whose parameters are read from a checkpoint. Call `finishLoading` once the model is made.
    public init(_ checkpoint: CheckpointReader, dtype: DType = .float32, device: Device = .cpu) {
        source = .checkpoint(checkpoint)
        self.dtype = dtype
        self.device = device
        generator = Generator(seed: 0, device: device)
    }

    func makeParameter(_ name: String, _ shape: [Int], _ initializer: Initializer) -> Tensor {
        precondition(names.insert(name).inserted, "two layers make the parameter \(name)")
        expected.append(KeyReport.Key(name, shape))
        let tensor =
            switch source {
            case .random(let generator): initializer.makeTensor(shape, generator: generator)
            // A key that is missing or of another shape gets an empty placeholder, whatever size the configuration
            // claims; `finishLoading` reports it.
            case .checkpoint(let reader): reader.tensor(named: name, shape: shape) ?? .zeros([0])
            }
        let placed = tensor.to(dtype).to(device)
        placed.requiresGradient = dtype.isFloatingPoint
        parameters.append(Parameter(name: name, tensor: placed))
        return placed
    }

    /// Throws one `.invalidCheckpoint` error that lists every missing, unexpected and mismatched key.
    public func finishLoading() throws(ConcordError) {
        guard case .checkpoint(let reader) = source else { return }
        let found = reader.tensors.map { KeyReport.Key($0.name, $0.entry.shape) }
        try KeyReport(expected: expected, found: found).throwIfAny(reader.path)
    }

    /// Stops training of every parameter whose name matches one of the patterns (`*` stands for any characters).
    ///
    /// - Throws: `.invalidConfiguration` for a pattern that matches nothing, as a typo would.
    public func freeze(matching patterns: [String]) throws(ConcordError) {
        for pattern in patterns {
            let matches = parameters.filter { NamePattern(pattern).matches($0.name) }
            guard !matches.isEmpty else {
                let names = parameters.prefix(3).map(\.name).joined(separator: ", ")
                throw ConcordError(
                    .invalidConfiguration, "no parameter matches \"\(pattern)\"; the names look like \(names)")
            }
            for parameter in matches { parameter.tensor.requiresGradient = false }
        }
    }

    /// The parameters that training changes.
    public var trainable: [Parameter] { parameters.filter { $0.tensor.requiresGradient } }

    /// Forgets all gradients.
    public func clearGradients() {
        for parameter in parameters { parameter.tensor.clearGradient() }
    }

    /// Copies saved values into the parameters. Throws `.invalidCheckpoint` for one that is missing or misshapen.
    public func restore(_ tensors: [String: Tensor], path: String) throws {
        try withoutGradient {
            for parameter in parameters {
                try parameter.tensor.restore(from: tensors, name: parameter.name, path: path)
            }
        }
    }

    /// Writes all parameters, as they are, to one safetensors file; atomic.
    public func save(to path: String) throws {
        try TensorFile.write(parameters.map { ($0.name, $0.tensor) }, to: path)
    }
}
