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
        guard let states = pass[.captionStates], let texts = pass.batch[.text] else { return [] }
        let own = ForwardPass.RowValues(values: texts.values, rows: texts.rows ?? Array(0..<texts.values.size(0)))
        // The last token predicts nothing, and nothing predicts the first.
        let next = own.selecting(states.rows).sliced(axis: 2, from: 1).to(.int64).to(states.values.device)
        let views = next.size(1)
        var total = Tensor(0)
        for view in 0..<views {
            let value = try loss(
                states: states.values.selected(axis: 1, at: view),  // [rows, tokens − 1, width]
                head: model.languageHead, labels: next.selected(axis: 1, at: view), group: pass.group)
            total = total + value / Double(views)
        }
        return [LossTerm("caption", total, weight: weight)]
    }
}
