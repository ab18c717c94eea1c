extension ContrastiveReport {
    /// What is wrong with the embeddings, each with advice; empty when nothing is.
    public var warnings: [String] { warnings().map(\.message) }

    /// What is wrong with the embeddings, and with a loss.
    ///
    /// New towers put all inputs near one point and guess, so ask after the first steps.
    ///
    /// - Parameters:
    ///   - loss: InfoNCE of the batch, to be compared with ``lnN``; nil for other losses.
    ///   - firstName: what the first embeddings are called.
    ///   - secondName: what the second embeddings are called.
    public func warnings(
        loss: Double? = nil, firstName: String = "first", secondName: String = "second"
    ) -> [EmbeddingWarning] {
        guard nonFiniteCount == 0 else {
            return [
                EmbeddingWarning(
                    kind: .nonFinite,
                    message: "\(nonFiniteCount) of \(2 * count) embeddings are not finite; train with a lower learning "
                        + "rate or a gradient clip, from an earlier checkpoint, and look for inputs that are not numbers"
                )
            ]
        }
        var warnings = [EmbeddingWarning]()
        for (name, spread) in [(firstName, first), (secondName, second)] where spread.uniformity > -0.1 {
            warnings.append(
                EmbeddingWarning(
                    kind: .collapse,
                    message: "the \(name) embeddings have collapsed: two of them have a cosine of "
                        + "\(Self.text(spread.meanCosine)) on average, and their uniformity is "
                        + "\(Self.text(spread.uniformity)), where 0 is a single point. Lower the learning rate, lengthen "
                        + "the warm-up, or raise the batch size; with triplets, mine semi-hard ones instead of the hardest"
                ))
        }
        if let loss, count > 1, loss > 0.98 * lnN {
            warnings.append(
                EmbeddingWarning(
                    kind: .guessing,
                    message: "the loss is \(Self.text(loss)) and guessing among \(count) costs ln \(count) = "
                        + "\(Self.text(lnN)): nothing is learnt. Check that each pair belongs together and that the "
                        + "towers train, and try another learning rate"))
        }
        if positiveCosine <= negativeCosine {
            warnings.append(
                EmbeddingWarning(
                    kind: .noAlignment,
                    message: "pairs have a cosine of \(Self.text(positiveCosine)) on average and all others "
                        + "\(Self.text(negativeCosine)): what belongs together is no nearer. Check that each pair belongs "
                        + "together, and try another learning rate"))
        }
        return warnings
    }

    private static func text(_ value: Double) -> String { String((value * 1000).rounded() / 1000) }
}
