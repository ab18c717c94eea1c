import ConcordCore
import ConcordPlatform

/// The answers to comparisons of pictures and texts, from their unit vectors.
struct ComparisonResponse: Sendable {
    let model: ServedModel
    let images: [[Float]]
    let texts: [[Float]]
    /// The texts as the client sent them.
    let names: [String]
    let usage: JSONValue

    /// About the multiplications that the answer takes.
    var work: Int { images.count * texts.count * (images.first?.count ?? 0) }

    /// Cosines and logits `[images, texts]`.
    func similarity() -> [UInt8] {
        let cosines = images.map { image in
            texts.map { text in zip(image, text).reduce(into: Float(0)) { $0 += $1.0 * $1.1 } }
        }
        var output = JSONBytes(capacity: images.count * texts.count * 24)
        output.raw(#"{"model":"#)
        output.value(.string(model.name))
        output.raw(#","similarities":"#)
        output.list(cosines) { $0.vector($1) }
        output.raw(#","logits":"#)
        output.list(model.logits(images: images, texts: texts)) { $0.vector($1) }
        return finished(&output)
    }

    /// The labels of each picture, the most probable first.
    func classification() -> [UInt8] {
        var output = JSONBytes(capacity: images.count * texts.count * 48)
        output.raw(#"{"model":"#)
        output.value(.string(model.name))
        output.raw(#","results":"#)
        output.list(model.logits(images: images, texts: texts)) { output, logits in
            let probabilities = Self.softmax(logits)
            let order = probabilities.indices.sorted { (-probabilities[$0], $0) < (-probabilities[$1], $1) }
            output.value([
                "label": .string(names[order[0]]),
                "scores": .array(
                    order.map { ["label": .string(names[$0]), "probability": .number(probabilities[$0])] }),
            ])
        }
        return finished(&output)
    }

    private func finished(_ output: inout JSONBytes) -> [UInt8] {
        output.raw(#","usage":"#)
        output.value(usage)
        output.raw("}")
        return output.bytes
    }

    private static func softmax(_ logits: [Float]) -> [Double] {
        let maximum = logits.max() ?? 0
        let weights = logits.map { exp(Double($0 - maximum)) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }
}
