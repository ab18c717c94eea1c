import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

extension FusedModel {
    /// What the model makes of the rows of a batch.
    public struct Output {
        /// Unit vectors, `[rows, views, width]`.
        public let vectors: Tensor
        /// The share of each modality in each vector, `[rows, views, modalities]`, the modalities in order of their names;
        /// nil where ``FusionConfiguration/combine`` knows no shares.
        public let shares: Tensor?
    }

    /// The vectors of the rows of a batch, each of all that the row has.
    ///
    /// - Throws: `.invalidArgument` for a row that has none of the model's modalities, for an unknown modality, and for
    ///   values, lengths and tokens outside what its tower reads; `.shapeMismatch`.
    public func callAsFunction(_ batch: Batch) throws(ConcordError) -> Output {
        try check(batch)
        return fused(batch)
    }

    /// The vectors of the rows of a batch that is known to fit.
    package func fused(_ batch: Batch) -> Output {
        let device = store.device
        let inputs = batch.present.reduce(into: [Modality: EncoderInput]()) { inputs, modality in
            guard let values = batch[modality] else { return }
            inputs[modality] = EncoderInput(
                values: values.values.to(device), lengths: values.lengths?.to(device), rows: values.rows)
        }
        let result = encode(inputs, batch.count)
        return Output(vectors: result.vector, shares: result.shares)
    }

    private func check(_ batch: Batch) throws(ConcordError) {
        let modalities = configuration.fusion.modalities
        guard batch.count > 0 else { throw ConcordError(.emptyBatch, "the batch has no rows") }
        var hasAny = [Bool](repeating: false, count: batch.count)
        for modality in batch.present {
            guard let values = batch[modality] else { continue }
            guard modalities.contains(modality), let input = configuration.inputs[modality] else {
                throw ConcordError(
                    .invalidArgument,
                    "the batch has \(modality), and the model reads \(modalities.map(\.name).joined(separator: ", "))")
            }
            for row in values.rows ?? Array(0..<batch.count) { hasAny[row] = true }
            try values.check(modality, against: input)
        }
        if let row = hasAny.firstIndex(of: false) {
            throw ConcordError(
                .invalidArgument,
                "row \(row) of the batch has none of \(modalities.map(\.name).joined(separator: ", ")); leave it out")
        }
        try batch.checkViews(modalities)
    }
}

extension Batch {
    /// - Throws: `.shapeMismatch` where the modalities have different numbers of views, other than one.
    package func checkViews(_ modalities: [Modality]) throws(ConcordError) {
        let views = modalities.compactMap { modality in self[modality].map { (modality, $0.views) } }
        let several = views.filter { $0.1 > 1 }
        guard let first = several.first, let other = several.first(where: { $0.1 != first.1 }) else { return }
        throw ConcordError(
            .shapeMismatch,
            "\(first.1) views of \(first.0) cannot be fused with \(other.1) of \(other.0); give as many, or one of one")
    }
}

extension ModalityBatch {
    /// Checks values that come from outside; a tower would trap.
    fileprivate func check(
        _ modality: Modality, against input: FusedModelConfiguration.Input
    ) throws(ConcordError) {
        let shape = Array(values.shape.dropFirst(2))
        func refuse(_ expected: String) -> ConcordError {
            ConcordError(
                .shapeMismatch,
                "the values of \(modality) have shape \(values.shape); the model reads [rows, views, \(expected)]")
        }
        guard !isEmbedded else {
            throw ConcordError(
                .invalidArgument, "\(modality) comes as vectors of a tower; the model needs what the tower reads")
        }
        let padded: Int
        switch input {
        case .image(let size, _, let channels):
            guard shape == [channels, size, size] else { throw refuse("\(channels), \(size), \(size)") }
            return
        case .text(let vocabularySize, let contextLength):
            guard shape.count == 1, (1...contextLength).contains(shape[0]) else {
                throw refuse("1 to \(contextLength) tokens")
            }
            guard
                values.scalarCount == 0
                    || values.min().item() >= 0 && values.max().item() < Double(vocabularySize)
            else {
                throw ConcordError(
                    .invalidArgument, "the tokens of \(modality) are not all within 0..<\(vocabularySize)")
            }
            padded = shape[0]
        case .speech(let bins, _, let convolutions, let positions):
            let longest = positions << convolutions
            guard shape.count == 3, shape[0] == 1, shape[2] == bins, (1...longest).contains(shape[1]) else {
                throw refuse("1, 1 to \(longest) frames, \(bins)")
            }
            padded = shape[1]
        }
        guard let lengths, lengths.scalarCount > 0 else { return }
        guard lengths.min().item() >= 1, lengths.max().item() <= Double(padded) else {
            throw ConcordError(
                .invalidArgument,
                "the lengths of \(modality) are \(Int(lengths.min().item())) to \(Int(lengths.max().item())), not within "
                    + "1...\(padded); a row without \(modality) is left out of its rows")
        }
    }
}
