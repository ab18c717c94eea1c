import ConcordCore
import ConcordRuntime
import Foundation
import SwiftProtobuf

/// Compares outputs of quantized models with those of the float32 one, over one set of samples.
public struct OutputComparison: Sendable {
    private let batches: QuantizationBatches
    private let outputs: [String]
    private let options: OnnxSessionOptions
    /// The float32 model's outputs, batch by batch, in the order of `outputs`.
    private let expected: [[OnnxValue]]

    /// Runs the float32 model, whose outputs are kept in memory.
    ///
    /// - Parameters:
    ///   - model: the one of float32.
    ///   - outputs: names of those that count, of type float32; nil for all. Each vector along the last axis is one
    ///     sample's.
    /// - Throws: what `batches` throws, `.emptyBatch` without any, `.invalidArgument` for outputs that are not there,
    ///   `.dtypeMismatch` for those of another type, and what loading and running the model throws.
    public init(
        with model: OnnxModel, over batches: QuantizationBatches, outputs: [String]? = nil,
        options: OnnxSessionOptions = OnnxSessionOptions()
    ) throws {
        self.batches = batches
        self.options = options
        let outputs = outputs ?? model.proto.graph.output.map(\.name)
        self.outputs = outputs
        let session = try model.load(options: options)
        var expected: [[OnnxValue]] = []
        while let batch = try batches.batch(expected.count) {
            let results = try session.run(batch, outputs: outputs)
            let values = outputs.compactMap { results[$0] }
            for (name, value) in zip(outputs, values) where value.elementType != .float32 {
                throw ConcordError(
                    .dtypeMismatch,
                    "the output '\(name)' has elements of \(value.elementType), which have no cosine; name the outputs "
                        + "to compare")
            }
            expected.append(values)
        }
        guard !expected.isEmpty else {
            throw ConcordError(.emptyBatch, "there is no batch of samples to compare models on")
        }
        self.expected = expected
    }

    /// The cosines of `model`. Throws what loading and running it throws, and `.shapeMismatch` for other outputs than
    /// the float32 model's.
    public func measures(of model: OnnxModel) throws -> QuantizationMeasures {
        let session = try model.load(options: options)
        var cosines: [Double] = []
        for (index, expected) in expected.enumerated() {
            guard let batch = try batches.batch(index) else {
                throw ConcordError(.invalidArgument, "batch \(index) is no longer there; give the same ones each time")
            }
            let results = try session.run(batch, outputs: outputs)
            for (name, expected) in zip(outputs, expected) {
                guard let result = results[name], result.shape == expected.shape else {
                    throw ConcordError(
                        .shapeMismatch,
                        "the output '\(name)' has the shape \(results[name]?.shape ?? []), and \(expected.shape) in the "
                            + "float32 model")
                }
                cosines += try OutputComparison.cosines(result, expected)
            }
        }
        return QuantizationMeasures(
            meanCosine: cosines.reduce(0, +) / Double(max(cosines.count, 1)), worstCosine: min(1, cosines.min() ?? 1),
            cosines: cosines)
    }

    /// The cosine of each pair of vectors along the last axis; 1 where both are 0, and 0 where one is, or is no number.
    static func cosines(_ first: OnnxValue, _ second: OnnxValue) throws(ConcordError) -> [Double] {
        let (a, b) = (try first.values(of: Float.self), try second.values(of: Float.self))
        let width = max(1, first.shape.last ?? 1)
        return stride(from: 0, to: a.count, by: width).map { start in
            var product = 0.0, left = 0.0, right = 0.0
            for index in start..<start + width {
                let (x, y) = (Double(a[index]), Double(b[index]))
                product += x * y
                left += x * x
                right += y * y
            }
            if left == 0, right == 0 { return 1 }
            let cosine = product / (left * right).squareRoot()
            return cosine.isFinite ? cosine : 0
        }
    }
}

/// Inputs of a model, one batch after another, as often as they are needed.
///
/// Batches of a few samples are best: all activations of one are in memory at once.
public struct QuantizationBatches: Sendable {
    private let make: @Sendable (Int) throws -> [String: OnnxValue]?

    /// Batches that `make` makes, by their position from 0; nil behind the last. The same position is the same batch.
    public init(_ make: @escaping @Sendable (Int) throws -> [String: OnnxValue]?) { self.make = make }

    public init(_ batches: [[String: OnnxValue]]) {
        make = { batches.indices.contains($0) ? batches[$0] : nil }
    }

    package func batch(_ index: Int) throws -> [String: OnnxValue]? { try make(index) }
}

extension OnnxModel {
    /// What the model's file has, in bytes, with all constants.
    public var fileByteCount: Int {
        let graph: [UInt8]? = try? proto.serializedBytes()
        return weightByteCount + (graph?.count ?? 0)
    }

    /// Opens the model. Throws as `OnnxSession` does.
    package func load(options: OnnxSessionOptions = OnnxSessionOptions()) throws(ConcordError) -> OnnxSession {
        guard weightByteCount > OnnxModel.inlineLimit else {
            return try OnnxSession(bytes: bytes(), options: options)
        }
        // Too large for one file, and constants beside a model have to lie in a folder.
        let folder = FileManager.default.temporaryDirectory.path + "/concord-" + UUID().uuidString
        try Files.makeFolder(folder)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try write(to: folder + "/model.onnx", weights: .separate)
        return try OnnxSession(path: folder + "/model.onnx", options: options)
    }
}
