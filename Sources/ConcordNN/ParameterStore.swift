import ConcordCheckpoint
import ConcordCore
import ConcordTensor

/// All parameters of one model, in the order its layers made them, and the switches that its layers share.
public final class ParameterStore {
    /// Converts a checkpoint's tensor of another shape, such as the positions of another image size; nil if that is not
    /// possible.
    public typealias Resizing = (_ found: Tensor) -> Tensor?

    private let random: Generator
    // Separate, so that a model's other parameters start the same with adapters as without.
    private let adapterRandom: Generator
    /// The layers that get adapters; nil for none.
    let adaptation: LowRankAdaptation?
    /// The adapters of the layers, in the order of the layers.
    package internal(set) var adapters: [LowRankAdapter] = []
    var hasMergedAdapters = false
    private let sources: [ParameterSource]
    private let dtype: DType?
    public let device: Device
    public private(set) var parameters: [Parameter] = []
    /// Values that belong to the model and never train: running statistics, and tables of integers that files carry.
    public private(set) var buffers: [Parameter] = []
    /// Notes on loading for the user, such as resized positions and damaged values.
    public private(set) var notes: [String] = []
    private var expected: [[KeyReport.Key]]
    /// Tensors of the checkpoints that hold no floating point numbers.
    private var unreadable: [(path: String, name: String, dtype: DType)] = []
    /// The first failure to read a checkpoint.
    private var failure: ConcordError?
    private var names: Set<String> = []

    /// Whether dropout and patch dropout are active.
    public var isTraining = false
    /// Whether transformer blocks recompute their activations in the backward pass instead of keeping them.
    public var usesActivationCheckpointing = false
    /// The source of dropout masks where no ``rowSeeds`` are set. Seeded at every step, a resumed run repeats the same
    /// masks.
    public let generator: Generator
    /// A seed for each row of the input that the layers work on now; nil draws all rows from ``generator``.
    ///
    /// With them a row's dropout depends neither on the rows beside it nor on their number, so that chunks of a batch,
    /// and processes that share it, draw what one pass over all of it would.
    package var rowSeeds: [UInt64]?
    /// Seeded anew for every row.
    let rowGenerator: Generator

    /// A store whose parameters are read from checkpoints, and drawn at random from `seed` where none is for them.
    ///
    /// Call ``finishLoading()`` once the model is made. Each parameter is read when it is made; the files are not
    /// needed afterwards.
    ///
    /// - Parameters:
    ///   - sources: checkpoints; the first whose prefix fits a parameter's name is asked.
    ///   - adaptation: settings of low-rank adapters; nil for none.
    ///   - dtype: the dtype of all parameters; nil keeps that of the checkpoint, and float32 for what is drawn.
    public init(
        seed: UInt64 = 0, sources: [ParameterSource] = [], adaptation: LowRankAdaptation? = nil,
        dtype: DType? = .float32, device: Device = .cpu
    ) {
        random = Generator(seed: seed)
        adapterRandom = Generator(seed: seed)
        self.adaptation = adaptation
        self.sources = sources
        self.dtype = dtype
        self.device = device
        expected = sources.map { _ in [] }
        generator = Generator(seed: seed, device: device)
        rowGenerator = Generator(seed: seed, device: device)
    }

    func makeParameter(
        _ name: String, _ shape: [Int], _ initializer: Initializer, isTrained: Bool = true, resizing: Resizing? = nil
    ) -> Tensor {
        if let loaded = load(name, shape, resizing) { return add(name, loaded, .checkpoint, isTrained: isTrained) }
        return add(name, initializer.makeTensor(shape, generator: random), .initializer, isTrained: isTrained)
    }

    func makeAdapterParameter(_ name: String, _ shape: [Int], _ initializer: Initializer) -> Tensor {
        add(name, initializer.makeTensor(shape, generator: adapterRandom), .adapter, isTrained: true)
    }

    /// Integers keep their type, whatever the dtype of the parameters.
    func makeBuffer(_ name: String, _ standard: Tensor, mayDiffer: Bool) -> Tensor {
        let isInteger = !standard.dtype.isFloatingPoint
        let loaded = load(name, standard.shape, nil, as: isInteger ? standard.dtype : nil)
        if isInteger, !mayDiffer, let loaded, loaded.dtype == standard.dtype, loaded.shape == standard.shape,
            loaded.scalars(as: Int.self) != standard.scalars(as: Int.self)
        {
            failure =
                failure
                ?? ConcordError(
                    .invalidCheckpoint,
                    "`\(name)` has other values than its configuration gives; fetch or save the model again")
        }
        precondition(names.insert(name).inserted, "two layers make the values \(name)")
        let values = loaded ?? standard
        let placed = (isInteger ? values : dtype.map { values.to($0) } ?? values).to(device)
        buffers.append(Parameter(name: name, tensor: placed, origin: loaded == nil ? .initializer : .checkpoint))
        return placed
    }

    private func add(_ name: String, _ tensor: Tensor, _ origin: Parameter.Origin, isTrained: Bool) -> Tensor {
        precondition(names.insert(name).inserted, "two layers make the parameter \(name)")
        let placed = (dtype.map { tensor.to($0) } ?? tensor).to(device)
        placed.requiresGradient = isTrained && placed.dtype.isFloatingPoint
        parameters.append(Parameter(name: name, tensor: placed, origin: origin))
        return placed
    }

    /// The parameter from its checkpoint; nil when no checkpoint is for it.
    ///
    /// - Parameter integers: the type of a buffer of integers, which a checkpoint need not have; nil for all others.
    private func load(_ name: String, _ shape: [Int], _ resizing: Resizing?, as integers: DType? = nil) -> Tensor? {
        for (index, source) in sources.enumerated() {
            guard let place = source.place(of: name) else { continue }
            func expect(_ shape: [Int]) {
                // The parts of one tensor are expected once, as that tensor.
                if place.part == 0 { expected[index].append(.init(place.name, place.fileShape(shape))) }
            }
            let found: Tensor?
            do throws(ConcordError) { found = try source.tensor(at: place) } catch {
                failure = failure ?? error
                return .zeros([0])
            }
            guard let tensor = found else {
                guard integers == nil else { return nil }
                expect(shape)
                // Whatever size the configuration claims, a placeholder is small; `finishLoading` reports it.
                return .zeros([0])
            }
            if let integers {
                failure = failure ?? Self.mismatch(of: tensor.dtype, with: integers, place.name, source.reader.path)
            } else if !tensor.dtype.isFloatingPoint {
                unreadable.append((source.reader.path, place.name, tensor.dtype))
            }
            if tensor.shape == shape {
                expect(shape)
                return tensor
            }
            if let resized = withoutGradient({ resizing?(tensor) }), resized.shape == shape {
                expect(tensor.shape)
                notes.append("\(name) is resized from \(tensor.shape) to \(shape)")
                return resized
            }
            expect(shape)
            return .zeros([0])
        }
        return nil
    }

    private static func mismatch(of found: DType, with expected: DType, _ name: String, _ path: String) -> ConcordError?
    {
        guard found != expected else { return nil }
        return ConcordError(
            .invalidCheckpoint,
            "`\(name)` of \(path) is \(found), not \(expected); use the checkpoint as it was before its types were changed"
        )
    }

    /// Throws one `.invalidCheckpoint` error for a checkpoint that does not fit, which lists every missing, unexpected
    /// and mismatched key, or that holds integers; notes which tensors hold values that are not finite. Throws
    /// `.fileSystem` for a file that could not be read, or was changed meanwhile.
    public func finishLoading() throws(ConcordError) {
        if let failure { throw failure }
        let read = zip(sources, expected).map { source, expected in
            let known = Set(expected.map { Array($0.name.utf8) })
            return source.reader.tensors.filter { !source.isPartial || known.contains(Array($0.name.utf8)) }
        }
        for (source, expected) in zip(sources, expected) { try checkReadable(source, expected) }
        for ((source, expected), found) in zip(zip(sources, expected), read) {
            try KeyReport(
                expected: expected, found: found.map { .init($0.name, $0.entry.shape) },
                ignoring: KeyReport.ignorable + source.layout.others
            ).throwIfAny(source.reader.path)
        }
        if let first = unreadable.first {
            throw ConcordError(
                .invalidCheckpoint,
                "\(unreadable.count) tensors of \(first.path) are not floating point numbers, the first "
                    + "`\(first.name)`, which is \(first.dtype); use the checkpoint as it was before quantization")
        }
        for (source, tensors) in zip(sources, read) {
            let broken = try NonFiniteValues.names(among: tensors)
            if let first = broken.first {
                notes.append(
                    "\(broken.count) tensors of \(source.reader.path) hold values that are not finite, the first "
                        + "`\(first)`: the weights are damaged or their training diverged")
            }
        }
    }

    /// Throws `.invalidCheckpoint` for a tensor that the model needs and that is of a type nobody reads; notes one that
    /// it does not need.
    private func checkReadable(_ source: ParameterSource, _ expected: [KeyReport.Key]) throws(ConcordError) {
        let unreadable = source.reader.unreadable, path = source.reader.path
        guard !unreadable.isEmpty else { return }
        let known = Set(expected.map { Array($0.name.utf8) })
        let needed = unreadable.filter { known.contains(Array($0.name.utf8)) }
        if let first = needed.first {
            let supported = DType.allCases.map(\.safetensorsName).joined(separator: ", ")
            throw ConcordError(
                .invalidCheckpoint,
                "\(needed.count) tensors of \(path) are of an unsupported type, the first `\(first.name)`, which is "
                    + "\(first.dtypeName) (supported: \(supported)); use the checkpoint as it was before quantization")
        }
        guard let first = unreadable.first, !source.isPartial else { return }
        notes.append(
            "\(unreadable.count) tensors of \(path) are of an unsupported type and not used, the first "
                + "`\(first.name)`, which is \(first.dtypeName)")
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

    /// Stops training of every parameter that fits.
    package func freeze(where fits: (Parameter) -> Bool) {
        for parameter in parameters where fits(parameter) { parameter.tensor.requiresGradient = false }
    }

    /// The parameters that training changes.
    public var trainable: [Parameter] { parameters.filter { $0.tensor.requiresGradient } }

    /// Releases all gradients.
    public func clearGradients() {
        for parameter in parameters { parameter.tensor.clearGradient() }
    }

    /// The parameters of a training run's checkpoint: all but those read from a model folder that never change.
    package var resumable: [Parameter] {
        parameters.filter { $0.origin != .checkpoint || $0.tensor.requiresGradient }
    }

    /// Copies saved values into the ``resumable`` parameters.
    ///
    /// - Throws: `.invalidCheckpoint` for one that is missing or has the wrong shape.
    package func restore(_ tensors: [String: Tensor], path: String) throws {
        try withoutGradient {
            for parameter in resumable {
                try parameter.tensor.restore(from: tensors, name: parameter.name, path: path)
            }
        }
    }

    /// Writes all parameters to one safetensors file of a layout, adapters merged into their layers; atomic.
    ///
    /// - Parameter metadata: strings for the file's header.
    public func save(
        to path: String, layout: CheckpointLayout = .huggingFace,
        metadata: [String: String] = SafetensorsWriter.standardMetadata
    ) throws {
        try withMergedAdapters { try write(to: path, layout: layout, metadata: metadata) }
    }

    private func write(to path: String, layout: CheckpointLayout, metadata: [String: String]) throws {
        let parameters = parameters.filter { $0.origin != .adapter } + buffers
        var order = [String](), pieces = [String: [(place: StoredTensor, tensor: Tensor)]]()
        for parameter in parameters {
            let place = layout.place(of: parameter.name)
            if pieces[place.name] == nil { order.append(place.name) }
            pieces[place.name, default: []].append((place, parameter.tensor))
        }
        try SafetensorsWriter.write(
            to: path,
            tensors: order.compactMap { name in
                guard let parts = pieces[name]?.sorted(by: { $0.place.part < $1.place.part }), let first = parts.first
                else { return nil }
                return SafetensorsTensor(name, first.tensor.dtype, first.place.fileShape(first.tensor.shape)) { write in
                    try withoutGradient {
                        for (place, tensor) in parts {
                            let stored = place.isTransposed ? tensor.transposed(0, 1) : tensor
                            try stored.withUnsafeBytes(write)
                        }
                    }
                }
            }, metadata: metadata)
    }
}

/// A trainable tensor and the name it has in a checkpoint.
public struct Parameter {
    /// The checkpoint key, such as `vision_model.encoder.layers.0.mlp.fc1.weight`.
    public let name: String
    public let tensor: Tensor
    package let origin: Origin

    /// The source of the first values.
    package enum Origin: Sendable, Hashable {
        /// Read from a checkpoint.
        case checkpoint
        /// Drawn at random, or a constant.
        case initializer
        /// Part of a ``LowRankAdapter``, which a saved model does not have.
        case adapter
    }
}
