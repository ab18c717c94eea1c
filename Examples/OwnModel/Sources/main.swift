// A model of your own, a loop over data, AdamW, and a checkpoint that training goes on from:
//   swift run -c release
import Concord
import Foundation

let steps = 300, checkpoint = "own-model.safetensors", moments = "own-model-optimizer.safetensors"
let schedule = LearningRateSchedule(.cosine, peak: 3e-3, warmupSteps: 30, totalSteps: steps)

/// Takes some steps of the training, and saves what the next ones need.
func train(_ model: TwoTowers, _ store: ParameterStore, _ optimizer: AdamW, steps: Range<Int>) throws {
    let loader = PrefetchLoader(batches: steps, threads: 2) { ColourBatch($0) }
    for step in steps {
        guard let batch = try loader.next() else { break }
        store.clearGradients()
        let loss = try InfoNCE(logitScale: model.logitScale)(
            model.embed(pictures: batch.pictures), model.embed(colours: batch.labels))
        loss.backward()
        optimizer.step(learningRate: schedule(step))
        if step % 50 == 0 { print("step \(step): loss \(loss.item())") }
    }
    try store.save(to: checkpoint)
    try TensorFile.write(optimizer.namedState, to: moments)
}

/// The share of pictures whose own colour is nearest.
func accuracy(_ model: TwoTowers, of batch: ColourBatch) -> Double {
    withoutGradient {
        let names = model.embed(colours: Tensor(Array(0..<ColourBatch.colours)))
        let scores = model.embed(pictures: batch.pictures).matmul(names.transposed(0, 1))  // [pictures, colours]
        return scores.argmax(axis: 1).equal(to: batch.labels).to(.float32).mean().item()
    }
}

do {
    let store = ParameterStore(seed: 1)
    let model = TwoTowers(ParameterScope(store))
    print("accuracy before training: \(accuracy(model, of: ColourBatch(steps)))")
    try train(model, store, AdamW(store.parameters), steps: 0..<steps / 2)

    // As another process would go on.
    let reader = try CheckpointReader(path: checkpoint)
    let loaded = ParameterStore(sources: [ParameterSource(reader, layout: .huggingFace)])
    let again = TwoTowers(ParameterScope(loaded))
    try loaded.finishLoading()
    let optimizer = AdamW(loaded.parameters)
    try optimizer.restore(TensorFile.read(moments), path: moments)
    try train(again, loaded, optimizer, steps: steps / 2..<steps)

    // A batch that training has not seen.
    let reached = accuracy(again, of: ColourBatch(steps))
    print("accuracy after training: \(reached)")
    guard reached > 0.9 else { throw ConcordError(.invalidArgument, "the model has learnt too little") }
} catch {
    print("own-model-example: \(error)")
    exit(1)
}
