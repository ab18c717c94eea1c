import ConcordCheckpoint
import ConcordTensor
import Foundation

/// What turns pictures and texts into unit vectors of one space, where cosines compare them: two towers, or a CoCa.
public protocol ImageTextEncoder: TextEncoder, ImageEncoder {
    /// The logarithm of the factor on cosines, `[]`.
    var logitScale: Tensor { get }
    /// What is added to the scaled cosines, `[]`; nil adds nothing.
    var logitBias: Tensor? { get }
}

extension ImageTextEncoder {
    /// Scaled cosines, with the bias where the model has one: `[n, width]` and `[m, width]` → `[n, m]`.
    public func logits(images: Tensor, texts: Tensor) -> Tensor {
        let scaled = logitScale.exp() * images.matmul(texts.transposed(0, 1))
        return logitBias.map { scaled + $0 } ?? scaled
    }

    /// Keeps the logit scale in `[0, ln 100]`, as OpenAI's training does after every step.
    public func clampLogitScale() {
        withoutGradient { logitScale.formClamp(min: 0, max: log(100)) }
    }
}
