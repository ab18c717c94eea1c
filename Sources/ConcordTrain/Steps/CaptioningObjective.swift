import ConcordCheckpoint
import ConcordCore
import ConcordLosses
import ConcordModels
import ConcordTensor

/// Has a captioning model predict each token of a caption from the image and the tokens before it (CoCa, Yu et al.
/// 2022).
///
/// With several captions of an image, the term is the mean over the first captions, the second, and so on; each is a
/// mean over the tokens of all processes.
public struct CaptioningObjective: TrainingObjective {
    private let model: any CaptioningModel
    private let loss: CaptionLoss
    private let weight: Double

    public let outputs: Set<ModelOutput> = [.captionStates]

    /// - Parameters:
    ///   - loss: nil ignores the model's pad token.
    ///   - weight: the default is that of the paper and of open_clip.
    public init(_ model: any CaptioningModel, loss: CaptionLoss? = nil, weight: Double = 2) {
        self.model = model
        self.loss = loss ?? CaptionLoss(ignoredLabel: model.textTransformer.padToken)
        self.weight = weight
    }

    public func terms(_ pass: ForwardPass) throws(ConcordError) -> [LossTerm] {
        let own = captions(pass)
        // The others' means need this process, whether it has captions or not.
        let views = try pass.group?.largest(own?.next.size(1) ?? 0) ?? own?.next.size(1) ?? 0
        guard views > 0 else { return [] }
        let head = model.languageHead
        let states = own?.states ?? .zeros([0, views, 1, head.size(1)], dtype: pass.outputDType, device: head.device)
        let next = own?.next ?? .zeros([0, views, 1], dtype: .int64, device: head.device)
        guard next.size(1) == views else {
            throw ConcordError(
                .shapeMismatch,
                "\(next.size(1)) captions of an image here, and \(views) in another process; give as many")
        }
        var total = Tensor(0)
        for view in 0..<views {
            let value = try loss(
                states: states.selected(axis: 1, at: view),  // [rows, tokens − 1, width]
                head: head, labels: next.selected(axis: 1, at: view), group: pass.group)
            total = total + value / Double(views)
        }
        return [LossTerm("caption", total, weight: weight)]
    }

    /// The states of captions `[rows, captions, tokens − 1, width]` and the tokens after them; nil where no row has any.
    private func captions(_ pass: ForwardPass) -> (states: Tensor, next: Tensor)? {
        guard let states = pass[.captionStates], let texts = pass.batch[.text] else { return nil }
        let own = ForwardPass.RowValues(values: texts.values, rows: texts.rows ?? Array(0..<texts.values.size(0)))
        // The last token predicts nothing, and nothing predicts the first.
        let next = own.selecting(states.rows).sliced(axis: 2, from: 1).to(.int64).to(states.values.device)
        return (states.values, next)
    }
}
