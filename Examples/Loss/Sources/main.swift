// A loss and its gradients, whole and in tiles of the matrix of scores:
//   swift run -c release
import Concord

// In a program, what the two towers return. The loss wants unit vectors.
let generator = Generator(seed: 1)
let images = Tensor.normal([1024, 256], generator: generator)
let texts = Tensor.normal([1024, 256], generator: generator)
let logitScale = Tensor(2.6593)  // the logarithm of 1 / 0.07, as CLIP begins
for tensor in [images, texts, logitScale] { tensor.requiresGradient = true }

let plans: [(name: String, plan: ScorePlan)] = [("dense", .dense), ("in tiles of 128 rows", .tiled(rows: 128))]
for (name, plan) in plans {
    for tensor in [images, texts, logitScale] { tensor.clearGradient() }
    let loss = try InfoNCE(logitScale: logitScale)(images.normalized(), texts.normalized(), plan: plan)
    loss.backward()
    guard let ofImages = images.gradient, let ofScale = logitScale.gradient else { fatalError("no gradients") }
    print("\(name): loss \(loss.item())")
    print("  gradient of the pictures \(ofImages.shape), length \(ofImages.norm(p: 2, axes: [0, 1]).item())")
    print("  gradient of the logit scale \(ofScale.item())")
}
