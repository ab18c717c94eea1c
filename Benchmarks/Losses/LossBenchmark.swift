import ArgumentParser
import BenchmarkSupport
import Concord
import Foundation

/// Contrastive losses, forward and backward, with Concord: the other side of `Benchmarks/Losses/compare.py`.
@main
struct LossBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "loss-benchmark")

    enum Loss: String, ExpressibleByArgument { case infonce, siglip, triplets }
    enum Plan: String, ExpressibleByArgument { case dense, tiled }

    @Option(help: "A safetensors file with image and text, unit vectors [count, width]; random ones without.")
    var embeddings: String?

    @Option(help: "Samples of the batch; by default those of the file.") var count: Int?
    @Option var width = 512
    @Option var loss = Loss.infonce
    @Option var plan = Plan.dense
    @Option(help: "Rows of a block.") var rows = ScorePlan.defaultRows
    @Option var threads = 2
    @Option var rounds = 1

    func run() throws {
        TorchRuntime.threadCount = threads
        var (images, texts) = try makeEmbeddings()
        if let count, count < images.size(0) {
            images = images.narrowed(axis: 0, from: 0, count: count).cloned()
            texts = texts.narrowed(axis: 0, from: 0, count: count).cloned()
        }
        // A small batch brings the code and the threads into memory, so that what follows is the loss's alone.
        let few = min(64, images.size(0))
        _ = try measure(
            images.narrowed(axis: 0, from: 0, count: few).cloned(),
            texts.narrowed(axis: 0, from: 0, count: few).cloned())
        for _ in 0..<rounds { print(try measure(images, texts).text()) }
    }

    private func makeEmbeddings() throws -> (images: Tensor, texts: Tensor) {
        if let embeddings {
            let tensors = try TensorFile.read(embeddings)
            guard let images = tensors["image"], let texts = tensors["text"] else {
                throw ValidationError("\(embeddings) must hold the tensors image and text")
            }
            return (images, texts)
        }
        let generator = Generator(seed: 1), count = count ?? 8192
        let images = Tensor.normal([count, width], generator: generator).normalized()
        // Pairs with cosines about 0.3, as of a model in training.
        let noise = Tensor.normal([count, width], generator: generator) * (3 / Double(width).squareRoot())
        return (images, (images + noise).normalized())
    }

    /// One forward and backward pass.
    private func measure(_ images: Tensor, _ texts: Tensor) throws -> JSONValue {
        let logitScale = Tensor(loss == .siglip ? log(10) : log(1 / 0.07)), logitBias = Tensor(-10)
        for tensor in [images, texts, logitScale, logitBias] {
            tensor.clearGradient()
            tensor.requiresGradient = true
        }
        let scores: ScorePlan = plan == .dense ? .dense : .tiled(rows: rows)
        ProcessMemory.resetPeak()
        let before = ProcessMemory.resident
        let start = ContinuousClock.now
        let value = try value(images, texts, logitScale, logitBias, scores)
        value.backward()
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let peak = ProcessMemory.peak
        return .object([
            .init("seconds", .number(seconds)), .init("extra", .integer(peak - before)), .init("peak", .integer(peak)),
            .init("loss", .number(value.item())), .init("gradientNorm", .number(norm(of: images.gradient))),
            .init("scaleGradient", .number(logitScale.gradient?.item() ?? 0)),
        ])
    }

    private func value(
        _ images: Tensor, _ texts: Tensor, _ logitScale: Tensor, _ logitBias: Tensor, _ scores: ScorePlan
    ) throws -> Tensor {
        switch loss {
        case .infonce: try InfoNCE(logitScale: logitScale)(images, texts, plan: scores)
        case .siglip: try SigmoidLoss(logitScale: logitScale, logitBias: logitBias)(images, texts, plan: scores)
        case .triplets:
            try TripletMarginLoss(margin: 0.2, mining: .batchHard)(
                images, labels: Tensor((0..<images.size(0)).map { $0 / 4 }), plan: scores)
        }
    }

    private func norm(of gradient: Tensor?) -> Double {
        guard let gradient else { return 0 }
        return gradient.norm(p: 2, axes: [0, 1], keepingAxes: false).item()
    }
}
