import ConcordCore
import ConcordTensor

// The losses as a textbook writes them, without blocks, plans or checks: what the tests of this folder hold the library
// to. Each stands in the documentation of its loss, too, and PlainLossTests compares the two texts.

func plainInfoNCE(_ images: Tensor, _ texts: Tensor, logitScale: Tensor) -> Tensor {
    let logits = images.matmul(texts.transposed(0, 1)) * logitScale.exp()  // [count, count]
    let partners = Tensor.arange(Double(images.size(0)))  // text i belongs to image i
    let byImage = Tensor.crossEntropy(logits, targets: partners)
    let byText = Tensor.crossEntropy(logits.transposed(0, 1), targets: partners)
    return (byImage + byText) / 2
}

func plainSigmoidLoss(_ images: Tensor, _ texts: Tensor, logitScale: Tensor, logitBias: Tensor) -> Tensor {
    let count = images.size(0)
    let logits = images.matmul(texts.transposed(0, 1)) * logitScale.exp() + logitBias  // [count, count]
    let signs = Tensor.identity(count, dtype: logits.dtype) * 2 - 1  // 1 for pairs, −1 for all others
    return -(signs * logits).logSigmoid().sum() / Double(count)
}

func plainTripletLoss(_ embeddings: Tensor, labels: Tensor, margin: Double) -> Tensor {
    let distances = embeddings.pairwiseDistance(to: embeddings)  // [count, count]
    let same = labels.unsqueezed(1).equal(to: labels)
    let isPositive = same.logicalAnd(Tensor.identity(labels.size(0), dtype: .bool).logicalNot())
    let isTriplet = isPositive.unsqueezed(2).logicalAnd(same.logicalNot().unsqueezed(1))  // [count, count, count]
    let losses = (distances.unsqueezed(2) - distances.unsqueezed(1) + margin).relu() * isTriplet
    return losses.sum() / losses.greater(than: 0).sum()
}

func plainCaptionLoss(states: Tensor, head: Tensor, labels: Tensor, ignoredLabel: Int) -> Tensor {
    let scores = states.matmul(head.transposed(0, 1))  // [captions, tokens, vocabulary]
    return Tensor.crossEntropy(
        scores.reshaped([-1, head.size(0)]), targets: labels.reshaped([-1]), ignoreIndex: ignoredLabel)
}

func plainGradientCaching(_ chunks: [Tensor], tower: (Tensor) -> Tensor, loss: (Tensor) -> Tensor) {
    let embeddings = withoutGradient { Tensor.concatenated(chunks.map(tower)) }  // keeps no activations
    embeddings.requiresGradient = true
    loss(embeddings).backward()
    let gradients = embeddings.gradient?.chunked(chunks.count, axis: 0) ?? []
    for (chunk, gradient) in zip(chunks, gradients) { tower(chunk).backward(gradient: gradient) }
}
