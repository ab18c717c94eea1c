import ConcordCore
import ConcordTensor

/// The symmetric InfoNCE loss over a batch of pairs (van den Oord et al. 2018; CLIP, Radford et al. 2021, figure 3).
public enum InfoNCE {
    /// The mean of the image-to-text and text-to-image cross-entropies, where row `i` of one matches row `i` of the
    /// other and every other row is a negative.
    ///
    /// - Parameters:
    ///   - images: unit vectors `[batch, width]`.
    ///   - texts: unit vectors `[batch, width]`.
    ///   - logitScale: the logarithm of the factor on cosines, `[]`.
    /// - Returns: the loss, `[]`, and the logits `[batch images, batch texts]`, both at least float32: half precision
    ///   has too few digits for a softmax over logits near 100.
    public static func symmetric(images: Tensor, texts: Tensor, logitScale: Tensor) -> (loss: Tensor, logits: Tensor) {
        autocast(.bfloat16, on: images.device.kind, enabled: false) {
            let precise: (Tensor) -> Tensor = { $0.dtype == .float64 ? $0 : $0.to(.float32) }
            let logits = precise(images).matmul(precise(texts).transposed(0, 1)) * precise(logitScale).exp()
            let targets = Tensor.arange(0, Double(logits.shape[0])).to(logits.device)
            let loss =
                (Tensor.crossEntropy(logits, targets: targets)
                    + Tensor.crossEntropy(logits.transposed(0, 1), targets: targets)) / 2
            return (loss, logits)
        }
    }
}
