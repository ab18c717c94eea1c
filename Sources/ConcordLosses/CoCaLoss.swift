import ConcordCore
import ConcordTensor

/// The loss of CoCa (Yu et al. 2022): a contrastive loss of images and texts, and the cross-entropy of captions.
///
/// ```swift
/// let total = contrastiveWeight * contrastive(images, texts) + captionWeight * caption(states, head, captions)
/// ```
/// Both parts are means over the batch of all processes, so their ratio is that of their weights in every plan and with
/// any number of processes. In open_clip 3.3 the contrastive half is by default divided by the number of processes
/// while the caption half is not, and the caption loss is a mean over the processes' means.
public struct CoCaLoss {
    package var contrastive: any ContrastiveLoss
    package var caption: CaptionLoss
    package var contrastiveWeight: Double
    package var captionWeight: Double

    /// A loss and its two parts, each `[]`; the parts are unweighted and carry no gradient.
    public struct Value {
        /// `contrastiveWeight · contrastive + captionWeight · caption`, to be differentiated.
        public let total: Tensor
        public let contrastive, caption: Tensor
    }

    /// Makes the loss; the default weights are those of the paper and of open_clip.
    public init(
        contrastive: any ContrastiveLoss, caption: CaptionLoss = CaptionLoss(), contrastiveWeight: Double = 1,
        captionWeight: Double = 2
    ) {
        self.contrastive = contrastive
        self.caption = caption
        self.contrastiveWeight = contrastiveWeight
        self.captionWeight = captionWeight
    }

    /// The loss of a batch. A part of weight 0 is not computed and counts as 0.
    ///
    /// - Parameters:
    ///   - images: unit vectors `[count, width]`.
    ///   - texts: unit vectors `[count, width]`.
    ///   - states: inputs of the language head, `[count, tokens, width]`.
    ///   - head: the weight of the language head `[vocabulary, width]`.
    ///   - captions: the next tokens, int64 `[count, tokens]`.
    ///   - labels: of the samples, for the contrastive loss; nil makes each sample a class of its own.
    ///   - plan: the plan of the contrastive scores, with the processes that share the batch.
    /// - Throws: `.invalidArgument` for a weight below 0, and as both losses do.
    public func callAsFunction(
        images: Tensor, texts: Tensor, states: Tensor, head: Tensor, captions: Tensor, labels: Tensor? = nil,
        plan: ScorePlan = .dense
    ) throws(ConcordError) -> Value {
        try LossInput.checkNumber(contrastiveWeight, "contrastiveWeight", 0...)
        try LossInput.checkNumber(captionWeight, "captionWeight", 0...)
        var group: ProcessGroup?
        if case .gathered(let ours, _) = plan { group = ours }
        var parts = [Tensor]()
        let zero = Tensor.zeros([], dtype: images.dtype == .float64 ? .float64 : .float32, device: images.device)
        var contrastiveValue = zero, captionValue = zero
        if contrastiveWeight > 0 {
            contrastiveValue = try contrastive(images, texts, labels: labels, plan: plan)
            parts.append(contrastiveValue * contrastiveWeight)
        }
        if captionWeight > 0 {
            captionValue = try caption(states: states, head: head, labels: captions, group: group)
            parts.append(captionValue * captionWeight)
        }
        return Value(
            total: parts.dropFirst().reduce(parts.first ?? zero, +), contrastive: contrastiveValue.detached(),
            caption: captionValue.detached())
    }
}
