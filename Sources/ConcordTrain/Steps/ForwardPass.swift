import ConcordCore
import ConcordLosses
import ConcordModels
import ConcordNN
import ConcordTensor

/// A batch on its way through a model: the outputs that the objectives of a step read.
public struct ForwardPass {
    /// An output, for the rows that have it.
    public struct RowValues {
        /// `[rows, views, …]`, at least float32.
        public let values: Tensor
        /// The places of the rows in the batch, in ascending order.
        public let rows: [Int]
    }

    public let model: any TrainableModel
    public let batch: Batch
    /// The plan of the scores; it knows the processes that share the batch.
    public let scores: ScorePlan
    private var outputs: [ModelOutput: RowValues] = [:]

    /// The processes that share the batch; nil for one.
    package var group: ProcessGroup? {
        if case .gathered(let group, _) = scores { group } else { nil }
    }

    /// Runs the encoders of a model that give `outputs`.
    ///
    /// - Parameters:
    ///   - precision: the type of the matrix products.
    ///   - seeds: of the run, which with epoch and sample keys the dropout of modalities; and of the step's other dropout.
    /// - Throws: `.invalidArgument` or `.shapeMismatch` for values that an encoder cannot take together.
    package static func run(
        _ model: any TrainableModel, _ batch: Batch, outputs: Set<ModelOutput>, plan: ExecutionPlan,
        precision: Precision, seeds: (run: UInt64, step: UInt64)
    ) throws(ConcordError) -> ForwardPass {
        var pass = ForwardPass(model: model, batch: batch, scores: plan.scores)
        for encoder in model.encoders(for: outputs) {
            if case .any(let dropout) = encoder.presence {
                let present = try pass.present(encoder.modalities, ModalityDropout(dropout, seed: seeds.run))
                guard !present.rows.isEmpty else { continue }
                let values = pass.encode(encoder, present, plan, precision, seeds.step)
                for (output, values) in zip(encoder.outputs, values) {
                    pass.outputs[output] = RowValues(values: values, rows: present.rows)
                }
                continue
            }
            if encoder.modalities.count == 1, let values = batch[encoder.modalities[0]], values.isEmbedded {
                let rows = values.rows ?? Array(0..<batch.count)
                for output in encoder.outputs {
                    pass.outputs[output] = RowValues(values: values.values.to(model.store.device), rows: rows)
                }
                continue
            }
            let rows = batch.rows(with: encoder.modalities)
            guard !rows.isEmpty else { continue }
            let values = pass.encode(encoder, rows, plan, precision, seeds.step)
            for (output, values) in zip(encoder.outputs, values) {
                pass.outputs[output] = RowValues(values: values, rows: rows)
            }
        }
        return pass
    }

    private func encode(
        _ encoder: RowEncoder, _ rows: [Int], _ plan: ExecutionPlan, _ precision: Precision, _ seed: UInt64
    ) -> [Tensor] {
        let device = model.store.device
        let inputs = encoder.modalities.compactMap { modality in
            batch[modality].map { (modality: modality, values: $0.selecting(rows)) }
        }
        // A plan cuts all tensors alike, the seeds of the rows' dropout with them.
        let tensors = inputs.flatMap { [$0.values.values] + ($0.values.lengths.map { [$0] } ?? []) }
        return encode(tensors, rows, plan, precision, seed) { tensors, count in
            var rest = tensors.makeIterator()
            let parts = inputs.reduce(into: [Modality: EncoderInput]()) { parts, input in
                guard let values = rest.next() else { return }
                let lengths = input.values.lengths == nil ? nil : rest.next()?.to(device)
                parts[input.modality] = EncoderInput(values: values.to(device), lengths: lengths)
            }
            return encoder.encode(parts, count)
        }
    }

    /// The rows that have any of an encoder's modalities, and the place of each among the values of a modality, or −1.
    private struct PresentRows {
        var rows: [Int] = []
        var places: [Modality: [Int64]] = [:]
    }

    /// - Throws: `.invalidArgument` for values that are vectors already, `.shapeMismatch` for views that do not pair.
    private func present(_ modalities: [Modality], _ dropout: ModalityDropout) throws(ConcordError) -> PresentRows {
        if let modality = modalities.first(where: { batch[$0]?.isEmbedded == true }) {
            throw ConcordError(
                .invalidArgument, "\(modality) comes as vectors of a tower, which cannot be fused; give its inputs")
        }
        try batch.checkViews(modalities)
        let given = modalities.filter { batch[$0] != nil }
        let places = given.map { modality in
            let rows = batch[modality]?.rows ?? Array(0..<batch.count)
            return Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($1, Int64($0)) })
        }
        var result = PresentRows()
        for row in 0..<batch.count {
            let own = given.indices.filter { places[$0][row] != nil }
            guard !own.isEmpty else { continue }
            let kept = dropout.kept(own.map { given[$0] }, sampleID: batch.sampleIDs[row], epoch: batch.epoch)
            result.rows.append(row)
            for (modality, places) in zip(given, places) {
                let place = kept.contains(modality) ? places[row] ?? -1 : -1
                result.places[modality, default: []].append(place)
            }
        }
        return result
    }

    private func encode(
        _ encoder: RowEncoder, _ present: PresentRows, _ plan: ExecutionPlan, _ precision: Precision, _ seed: UInt64
    ) -> [Tensor] {
        let device = model.store.device, batch = batch
        let modalities = encoder.modalities.filter { present.places[$0]?.contains { $0 >= 0 } == true }
        // A plan cuts the places of values, not the values: a chunk of rows has as many of them as there are.
        return encode(
            modalities.compactMap { present.places[$0].map { Tensor($0) } }, present.rows, plan, precision, seed
        ) {
            tensors, count in
            let parts = zip(modalities, tensors).reduce(into: [Modality: EncoderInput]()) { parts, entry in
                let places = entry.1.scalars(as: Int64.self), rows = places.indices.filter { places[$0] >= 0 }
                guard !rows.isEmpty, let all = batch[entry.0] else { return }
                let values = all.selecting(places: rows.map { places[$0] })
                parts[entry.0] = EncoderInput(
                    values: values.values.to(device), lengths: values.lengths?.to(device),
                    rows: rows.count == count ? nil : rows)
            }
            return encoder.encode(parts, count)
        }
    }

    /// Runs `body` on rows as the plan says, with the seeds of their dropout.
    private func encode(
        _ tensors: [Tensor], _ rows: [Int], _ plan: ExecutionPlan, _ precision: Precision, _ seed: UInt64,
        _ body: @escaping (_ tensors: [Tensor], _ count: Int) -> [Tensor]
    ) -> [Tensor] {
        let store = model.store
        let seeds = rows.map { RandomSource.value(seed: seed, stream: UInt64(batch.firstRow + $0)) }
        return plan.encode(tensors + [Tensor(seeds.map(Int64.init(bitPattern:)))]) { tensors in
            let seeds = tensors[tensors.count - 1].scalars(as: Int64.self).map(UInt64.init(bitPattern:))
            store.rowSeeds = seeds
            defer { store.rowSeeds = nil }
            // Within the part that is computed twice: only then are both times the same.
            let outputs = precision.autocast(on: store.device) { body(Array(tensors.dropLast()), seeds.count) }
            // Losses need more digits, and so do the gradients that a cached plan keeps.
            return outputs.map { $0.dtype == .float64 ? $0 : $0.to(.float32) }
        }
    }

    /// The type of outputs and terms.
    var outputDType: DType { model.store.parameters.first?.tensor.dtype == .float64 ? .float64 : .float32 }

    /// An output of the model; nil where no row has what it is made of.
    public subscript(output: ModelOutput) -> RowValues? { outputs[output] }

    /// The unit vectors of a modality, `[rows, views, width]`.
    ///
    /// Where other processes may have rows, those of a process without any are empty: `[0, 1, width]`.
    ///
    /// - Throws: `.invalidArgument` when no row has the modality, or the model gives no such vectors.
    public func embeddings(of modality: Modality) throws(ConcordError) -> RowValues {
        if let values = self[.embedding(modality)] { return values }
        if group != nil, let width = (model as? any EmbeddingEncoder)?.embeddingWidth {
            return RowValues(
                values: .zeros([0, 1, width], dtype: outputDType, device: model.store.device), rows: [])
        }
        throw ConcordError(
            .invalidArgument,
            batch[modality] == nil
                ? "an objective reads the embeddings of \(modality), and no row of the batch has that modality"
                : "an objective reads the embeddings of \(modality), which the model \(type(of: model)) does not give")
    }
}

extension ModalityBatch {
    /// The values and lengths of some of the rows, which all have the modality.
    fileprivate func selecting(_ wanted: [Int]) -> EncoderInput {
        let own = rows ?? Array(0..<values.size(0))
        guard own != wanted else { return EncoderInput(values: values, lengths: lengths) }
        let places = Dictionary(uniqueKeysWithValues: own.enumerated().map { ($1, Int64($0)) })
        return selecting(places: wanted.compactMap { places[$0] })
    }

    /// The values and lengths at some places among the values.
    fileprivate func selecting(places: [Int64]) -> EncoderInput {
        guard places != (0..<values.size(0)).map(Int64.init) else {
            return EncoderInput(values: values, lengths: lengths)
        }
        let indices = Tensor(places)
        return withoutGradient {
            EncoderInput(
                values: values.indexSelected(axis: 0, indices.to(values.device)),
                lengths: lengths.map { $0.indexSelected(axis: 0, indices.to($0.device)) })
        }
    }
}
