import ArgumentParser
import BenchmarkSupport
import Concord

/// Training steps on the prepared batches, each with its losses, seconds and peak of memory.
struct TrainingSteps: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "train")

    @Option var folder: String
    @Option(help: "Which captions: short or full.") var captions = "short"
    @Option var threads = 2

    func run() throws {
        TorchRuntime.threadCount = threads
        let model = try CoCa.load(folder)
        let data = try TensorFile.read(folder + "/data.safetensors")
        guard let pixels = data["pixels"], let batches = data[captions] else {
            throw ValidationError("\(folder) has no captions called \(captions)")
        }
        model.store.isTraining = true
        let optimizer = AdamW(model.store.trainable)
        let loss = CoCaLoss(contrastive: InfoNCE(logitScale: model.logitScale))
        for index in 0..<batches.size(0) {
            ProcessMemory.resetPeak()
            let start = ContinuousClock.now
            let all = batches.selected(axis: 0, at: index)  // [B, context]
            // The longest caption is as long as the number of columns that hold more than padding.
            let longest = Int(all.notEqual(to: 0).sum(axes: [1]).max().item())
            let output = model(pixels, all.sliced(axis: 1, from: 0, to: longest))
            let value = try loss(
                images: output.images, texts: output.texts, states: output.states, head: model.languageHead,
                captions: output.labels)
            model.store.clearGradients()
            value.total.backward()
            optimizer.step(learningRate: 1e-4)
            model.clampLogitScale()
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            print(
                JSONValue.object([
                    .init("seconds", .number(seconds)), .init("peak", .integer(ProcessMemory.peak)),
                    .init("contrastive", .number(value.contrastive.item())),
                    .init("caption", .number(value.caption.item())),
                ]).text())
        }
    }
}
