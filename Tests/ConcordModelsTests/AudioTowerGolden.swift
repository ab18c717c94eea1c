import ConcordCheckpoint
import ConcordCore
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Testing

/// A tiny model of sounds and what transformers computes with it; `scripts/golden/make_audio_towers.py` made the files.
///
/// No weights are stored: they follow from a formula, and a hash tells that the file with them is the peer's.
struct AudioTowerGolden {
    let name: String
    let outputs: [String: Golden.Tensor]
    private let seed: Int
    let weightsHash: String
    /// The peer's names of the weights.
    private let layout: CheckpointLayout

    init(_ name: String) throws {
        self.name = name
        outputs = try Golden.tensors("models", name + "/outputs.safetensors")
        let weights = try Golden.json("models", name + "/weights.json")
        seed = try #require(weights["seed"]?.int)
        weightsHash = try #require(weights["sha256"]?.string)
        layout = try ModelFolder(Golden.folder("models") + "/" + name).layout
    }

    /// The texts of the model, the second padded most: ids `[4, 8]` and lengths.
    static var texts: (ids: Tensor, lengths: Tensor) {
        let rows = [[0, 5, 9, 17, 2], [0, 7, 2], [0, 6, 3, 3, 8, 4, 19, 2], [0, 11, 12, 2]]
        let padded = rows.flatMap { $0 + Array(repeating: 1, count: 8 - $0.count) }
        return (Tensor(padded, shape: [4, 8]), Tensor(rows.map(\.count)))
    }

    /// Four clips: one fills the frames, the others are shorter and repeated, or followed by quiet.
    static func spectrograms(frames: Int, bins: Int, channels: Int = 1, dtype: DType) -> Tensor {
        let rows = [(frames, frames), (frames / 3, frames), (frames / 4, frames * 3 / 4), (7, frames / 2)]
        var values = [Float]()
        for (row, (length, end)) in rows.enumerated() {
            let own = FormulaWeights.formula("features.\(row)", count: channels * length * bins)
            for channel in 0..<channels {
                for frame in 0..<frames {
                    for bin in 0..<bins {
                        let place = (channel * length + frame % length) * bins + bin
                        values.append(frame < end ? own[place] * 2 : -4)
                    }
                }
            }
        }
        return Tensor(values, shape: [4, channels, frames, bins]).to(dtype)
    }

    /// A folder with the model as the peer saves it: its configuration, and the weights by formula.
    func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
        try withTemporaryFolder { folder in
            try Files.replace(
                folder + "/config.json",
                with: Files.read(Golden.folder("models") + "/\(name)/config.json"))
            let model = try ModelFolder(folder).architecture.makeModel(store: ParameterStore())
            fill(model.store)
            try model.store.save(to: folder + "/model.safetensors", layout: layout)
            return try body(folder)
        }
    }

    /// The model, read from such a folder.
    func model<Model: EmbeddingEncoder>(_ type: Model.Type, _ dtype: DType?) throws -> Model {
        try withFolder { try Model.load($0, dtype: dtype) }
    }

    /// The tensors of a folder's weights under other names, without integers if they are not wanted.
    static func tensors(
        of folder: String, withIntegers: Bool = true, name: (String) -> String
    ) throws -> [SafetensorsTensor] {
        let tensors = try CheckpointReader(path: folder).tensors
        return try tensors.filter { withIntegers || $0.entry.dtype.isFloatingPoint }.map { tensor in
            var bytes = [UInt8](repeating: 0, count: tensor.entry.byteRange.count)
            try bytes.withUnsafeMutableBytes { try tensor.read(into: $0) }
            let values = bytes
            return SafetensorsTensor(name(tensor.name), tensor.entry.dtype, tensor.entry.shape) { write in
                try values.withUnsafeBytes { try write($0) }
            }
        }
    }

    private func fill(_ store: ParameterStore) {
        withoutGradient {
            for parameter in store.parameters + store.buffers {
                let shape = parameter.tensor.shape, name = layout.place(of: parameter.name).name
                guard parameter.tensor.dtype.isFloatingPoint else {
                    if name.hasSuffix("num_batches_tracked") { parameter.tensor.copy(from: Tensor([5], shape: [])) }
                    continue
                }
                guard !name.hasPrefix("logit_scale") else { continue }
                let own = FormulaWeights.formula("\(name)/\(seed)", count: shape.reduce(1, *))
                let (scale, offset): (Float, Float) =
                    if name.hasSuffix("running_var") {
                        (0.5, 1)
                    } else if shape.count > 1 {
                        (0.25, 0)
                    } else {
                        (0.125, name.hasSuffix("weight") ? 1 : 0)
                    }
                parameter.tensor.copy(from: Tensor(own.map { $0 * scale + offset }, shape: shape))
            }
        }
    }

    /// Expects the peer's unit vectors, to within the tolerance of parity for the dtype.
    func expect(_ key: String, _ vectors: Tensor, _ dtype: DType, sourceLocation: SourceLocation = #_sourceLocation)
        throws
    {
        let golden = try #require(outputs["\(key).\(dtype)"], sourceLocation: sourceLocation)
        #expect(vectors.shape == golden.shape, sourceLocation: sourceLocation)
        expectClose(
            vectors.scalars(as: Double.self), golden.values, absolute: CLIPParityTests.Tolerance.of(dtype).embedding,
            "\(name): \(key)", sourceLocation: sourceLocation)
    }

    /// Expects the peer's gradient of every parameter that trains: its largest value, and eight inner products with it.
    func expectGradients(_ store: ParameterStore, _ dtype: DType) throws {
        let golden = try #require(outputs["gradients"]), columns = golden.shape[1]
        let relative = CLIPParityTests.Tolerance.of(dtype).gradient
        let parameters = store.trainable.map { (name: layout.place(of: $0.name).name, tensor: $0.tensor) }
            .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        #expect(parameters.count == golden.shape[0])
        let sizes = Dictionary(
            uniqueKeysWithValues: zip(
                parameters.map(\.name), stride(from: 0, to: golden.values.count, by: columns).map { golden.values[$0] })
        )
        for (row, parameter) in parameters.enumerated() where row < golden.shape[0] {
            let gradient = try #require(parameter.tensor.gradient, "\(parameter.name) has no gradient")
                .scalars(as: Double.self)
            let absolute = Self.allowedError(parameter.name, sizes, relative: relative)
            expectClose(
                [gradient.map(abs).max() ?? 0], [golden.values[row * columns]], absolute: absolute,
                "\(name): largest of \(parameter.name)")
            let products = (0..<columns - 1).map { check in
                zip(gradient, FormulaWeights.formula("\(parameter.name)/check\(check)", count: gradient.count))
                    .reduce(0) { $0 + $1.0 * Double($1.1) }
            }
            // Errors of the summands add like those of a random walk.
            expectClose(
                products, Array(golden.values[row * columns + 1..<(row + 1) * columns]),
                absolute: absolute * Double(gradient.count).squareRoot(), "\(name): \(parameter.name)")
        }
    }

    /// - Parameter sizes: the largest value of each gradient.
    private static func allowedError(_ name: String, _ sizes: [String: Double], relative: Double) -> Double {
        // A sum whose terms all but cancel; they are below 10.
        guard !name.hasPrefix("logit_scale") else { return relative * 10 }
        var own = sizes[name] ?? 0
        let scores = ["query.weight", "query.bias", "key.weight", "key.bias", "relative_position_bias_table"]
        if let part = scores.first(where: name.hasSuffix) {
            // Softmax's gradient is a difference of terms of the size of what reaches the values.
            own = max(own, sizes[name.dropLast(part.count) + "value.weight"] ?? 0)
        }
        return allowedGradientError([own], relative: relative, largest: sizes.values.max() ?? 0)
    }
}
