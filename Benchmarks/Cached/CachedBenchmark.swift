import ArgumentParser
import BenchmarkSupport
import Concord
import Foundation

/// Training steps whose batch is embedded in chunks (gradient caching), against ordinary steps:
/// `Benchmarks/Cached/compare.py` runs both.
@main
struct CachedBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "cached-benchmark")

    enum Mode: String, ExpressibleByArgument {
        /// Ordinary steps of ViT-B/32.
        case plain
        /// Steps of ViT-B/32 whose batch is embedded in chunks.
        case cached
        /// A small model trained both ways from the same weights on the same batch.
        case trajectory
    }

    @Option var mode = Mode.plain
    @Option(help: "Samples of a step.") var batch = 32
    @Option(help: "Samples that are embedded at once.") var chunk = 32
    @Option var steps = 1
    @Option var threads = 2

    func run() throws {
        TorchRuntime.threadCount = threads
        switch mode {
        case .plain: try measure(.dense)
        case .cached: try measure(.cached(chunk: chunk))
        case .trajectory: try compareTrajectories()
        }
    }

    private func measure(_ plan: ExecutionPlan) throws {
        let trainee = Trainee(
            DualEncoderConfiguration(
                text: .transformer(.init(activation: .gelu)), vision: .init(activation: .gelu),
                initialLogitScale: log(1 / 0.07)), learningRate: 5e-4)
        // The first step allocates gradients and moments.
        _ = try trainee.step(Batch(count: min(batch, chunk), trainee.model.configuration, seed: 0), .dense)
        for step in 1...steps {
            let samples = Batch(count: batch, trainee.model.configuration, seed: UInt64(step))
            ProcessMemory.resetPeak()
            let start = ContinuousClock.now
            let loss = try trainee.step(samples, plan)
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            print(
                JSONValue.object([
                    .init("secondsPerSample", .number(seconds / Double(batch))), .init("loss", .number(loss)),
                    .init("peak", .integer(ProcessMemory.peak)), .init("inputs", .integer(samples.byteCount)),
                ]).text())
        }
    }

    private func compareTrajectories() throws {
        func losses(_ plan: ExecutionPlan) throws -> [Double] {
            let trainee = Trainee(
                DualEncoderConfiguration(
                    text: .transformer(
                        .init(
                            vocabularySize: 1000, width: 64, intermediateWidth: 256, layers: 2, heads: 4,
                            contextLength: 16, startToken: 998, endToken: 999)),
                    vision: .init(width: 64, intermediateWidth: 256, layers: 2, heads: 4, imageSize: 64, patchSize: 16),
                    projectionWidth: 64, initialLogitScale: log(1 / 0.07)), learningRate: 1e-3)
            // Always the same samples: the loss falls, and so every step depends on all gradients before.
            let samples = Batch(count: batch, trainee.model.configuration, seed: 1)
            return try (0..<steps).map { _ in try trainee.step(samples, plan) }
        }
        let dense = try losses(.dense), cached = try losses(.cached(chunk: chunk))
        let difference = zip(dense, cached).map { abs($0 - $1) / abs($0) }.max() ?? 0
        print(
            JSONValue.object([
                .init("dense", .array(dense.map { .number($0) })), .init("cached", .array(cached.map { .number($0) })),
                .init("difference", .number(difference)),
            ]).text())
    }
}

/// A model and its optimizer.
private struct Trainee {
    let model: DualEncoder
    private let optimizer: AdamW
    private let learningRate: Double

    init(_ configuration: DualEncoderConfiguration, learningRate: Double) {
        model = DualEncoder(configuration, store: ParameterStore(seed: 1))
        model.store.isTraining = true
        optimizer = AdamW(model.store.trainable)
        self.learningRate = learningRate
    }

    /// - Returns: the loss before the step.
    func step(_ batch: Batch, _ plan: ExecutionPlan) throws -> Double {
        let model = model, generators = [model.store.generator]
        let images = plan.embed([batch.pixels], generators: generators) { model.embedImages($0[0]) }
        let texts = plan.embed([batch.ids], generators: generators) { model.embedTexts($0[0]) }
        let loss = try InfoNCE(logitScale: model.logitScale)(images, texts, plan: plan.scores)
        model.store.clearGradients()
        loss.backward()
        optimizer.step(learningRate: learningRate)
        model.clampLogitScale()
        return loss.item()
    }
}

/// Pictures of noise and captions of random words, with the lengths of short captions.
private struct Batch {
    /// `[count, 3, size, size]`
    let pixels: Tensor
    /// `[count, tokens]`
    let ids: Tensor

    init(count: Int, _ configuration: DualEncoderConfiguration, seed: UInt64) {
        let size = configuration.vision.imageSize
        pixels = Tensor.uniform([count, 3, size, size], from: 0, to: 1, generator: Generator(seed: seed))
        guard case .transformer(let text) = configuration.text else { preconditionFailure("not a CLIP text tower") }
        var random = RandomSource(seed: seed)
        let rows = (0..<count).map { _ in
            let words = (0..<Int.random(in: 4...12, using: &random)).map { _ in
                Int.random(in: 0..<text.startToken, using: &random)
            }
            return [text.startToken] + words + [text.endToken]
        }
        let longest = rows.map(\.count).max() ?? 0
        ids = Tensor(rows.flatMap { $0 + Array(repeating: 0, count: longest - $0.count) }, shape: [count, longest])
    }

    var byteCount: Int { pixels.scalarCount * 4 + ids.scalarCount * 8 }
}
