import ConcordCore
import ConcordModels
import ConcordTensor

/// The similarity of images, or sounds, and texts by a model: cosines, logits and probabilities.
package struct Similarity: Sendable {
    /// The way from logits to probabilities, which depends on the loss that a model was trained with.
    package enum Probability: String, Sendable {
        /// Over the texts of an image or sound: they add up to one (CLIP).
        case softmax
        /// Each text by itself (SigLIP, and every model with a logit bias).
        case sigmoid
    }

    /// One image or sound against all texts, in the texts' order.
    package struct Row: Sendable {
        package let cosines: [Double]
        /// Scaled cosines, with the bias where the model has one.
        package let logits: [Double]
        package let probabilities: [Double]

        /// The texts' positions, best first; equals keep their order.
        package var ranking: [Int] {
            logits.indices.sorted { logits[$0] == logits[$1] ? $0 < $1 : logits[$0] > logits[$1] }
        }
    }

    package let probability: Probability
    /// A row an image or sound.
    package let rows: [Row]

    /// Compares unit vectors of images `[n, width]` with those of texts `[m, width]`.
    ///
    /// - Throws: `.invalidConfiguration` for a model without images or without texts.
    package init(model: EmbeddingModel, images: Tensor, texts: Tensor) throws(ConcordError) {
        self.init(
            images, texts, logits: try model.logits(images: images, texts: texts),
            isSigmoid: try model.imageTextEncoder().logitBias != nil)
    }

    /// Compares unit vectors of sounds `[n, width]` with those of texts `[m, width]`.
    ///
    /// - Throws: `.invalidConfiguration` for a model without sounds or without texts.
    package init(model: EmbeddingModel, sounds: Tensor, texts: Tensor) throws(ConcordError) {
        self.init(sounds, texts, logits: try model.logits(sounds: sounds, texts: texts), isSigmoid: false)
    }

    private init(_ media: Tensor, _ texts: Tensor, logits: Tensor, isSigmoid: Bool) {
        let (cosines, probabilities) = withoutGradient {
            (
                media.matmul(texts.transposed(0, 1)),
                isSigmoid ? logits.to(.float64).sigmoid() : logits.to(.float64).softmax(axis: 1)
            )
        }
        probability = isSigmoid ? .sigmoid : .softmax
        let values = [cosines, logits, probabilities].map { $0.scalars(as: Double.self) }
        let width = texts.shape[0]
        rows = (0..<media.shape[0]).map { row in
            let range = row * width..<(row + 1) * width
            return Row(
                cosines: Array(values[0][range]), logits: Array(values[1][range]),
                probabilities: Array(values[2][range]))
        }
    }
}

extension Similarity.Row {
    /// The lists as members of a JSON object, in the texts' order.
    package var members: [JSONValue.Member] {
        func list(_ values: [Double]) -> JSONValue { .array(values.map(JSONValue.number)) }
        return [
            .init("cosine", list(cosines)), .init("logits", list(logits)),
            .init("probabilities", list(probabilities)),
        ]
    }

    /// The best `count` texts as lines of a table: probability, a bar of it, logit, cosine, text.
    package func table(_ texts: [String], top count: Int = .max) -> String {
        let best = ranking.prefix(count)
        let logitTexts = best.map { NumberText.fixed(logits[$0], decimals: 2) }
        let width = logitTexts.map(\.count).max() ?? 0
        return zip(best, logitTexts).map { index, logit in
            let percent = NumberText.fixed(probabilities[index] * 100, decimals: 1)
            let cells = probabilities[index].isFinite ? Int((probabilities[index] * 20).rounded()) : 0
            let bar = String(repeating: "█", count: cells) + String(repeating: "·", count: 20 - cells)
            let cosine = NumberText.fixed(cosines[index], decimals: 4)
            func right(_ text: String, _ width: Int) -> String {
                String(repeating: " ", count: max(0, width - text.count)) + text
            }
            return "\(right(percent, 5)) %  \(bar)  \(right(logit, width))  \(right(cosine, 7))  \(texts[index])"
        }.joined(separator: "\n")
    }
}
