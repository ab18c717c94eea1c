import ArgumentParser
import Concord
import Foundation

/// Training steps of ViT-B/32 with Concord: the other side of `Benchmarks/Training/compare.py`.
@main
struct TrainingBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "training-benchmark")

    @Option(help: "A JSON list of captions, each a list of CLIP's token ids.")
    var ids: String

    @Option var batch = 32
    @Option var threads = 2
    @Option var steps = 3
    @Option var precision = "float32"

    func run() throws {
        TorchRuntime.threadCount = threads
        let captions =
            try JSONValue(parsing: Files.read(ids), source: ids).elements?
            .compactMap { $0.elements?.compactMap(\.int) } ?? []
        let configuration = DualEncoderConfiguration(
            text: .transformer(.init(activation: .gelu)), vision: .init(activation: .gelu),
            initialLogitScale: log(1 / 0.07))
        let store = ParameterStore(seed: 1)
        let model = DualEncoder(configuration, store: store)
        let trainer = Trainer(
            model: model,
            options: .init(
                schedule: LearningRateSchedule(.constant, peak: 5e-4, warmupSteps: 0, totalSteps: 1),
                precision: precision == "bfloat16" ? .bfloat16 : .float32, seed: 1))
        let pixels = Tensor.uniform([batch, 3, 224, 224], from: 0, to: 1, generator: Generator(seed: 1))
        for step in 0...steps {
            let rows = (0..<batch).map { captions[(step * batch + $0) % captions.count] }
            let longest = rows.map(\.count).max() ?? 0
            let padded = rows.flatMap { $0 + Array(repeating: 0, count: longest - $0.count) }
            let ids = Tensor(padded, shape: [batch, longest])
            let start = ContinuousClock.now
            let result = try trainer.step(
                step, Batch([.image: ModalityBatch(pixels), .text: ModalityBatch(ids)]))
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            if step > 0 {  // the first step allocates
                print(
                    JSONValue.object([.init("seconds", .number(seconds)), .init("loss", .number(result.loss))]).text())
            }
        }
    }
}
