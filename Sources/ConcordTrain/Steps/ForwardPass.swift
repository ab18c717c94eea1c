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
    ///   - seed: of the step's dropout.
    static func run(
        _ model: any TrainableModel, _ batch: Batch, outputs: Set<ModelOutput>, plan: ExecutionPlan,
        precision: Precision,
        seed: UInt64
    ) -> ForwardPass {
        var pass = ForwardPass(model: model, batch: batch, scores: plan.scores)
        for encoder in model.encoders(for: outputs) {
            if encoder.modalities.count == 1, let values = batch[encoder.modalities[0]], values.isEmbedded {
                let rows = values.rows ?? Array(0..<batch.count)
                for output in encoder.outputs {
                    pass.outputs[output] = RowValues(values: values.values.to(model.store.device), rows: rows)
                }
                continue
            }
            let rows = batch.rows(with: encoder.modalities)
            guard !rows.isEmpty else { continue }
            let values = pass.encode(encoder, rows, plan, precision, seed)
            for (output, values) in zip(encoder.outputs, values) {
                pass.outputs[output] = RowValues(values: values, rows: rows)
            }
        }
        return pass
    }

    private func encode(
        _ encoder: RowEncoder, _ rows: [Int], _ plan: ExecutionPlan, _ precision: Precision, _ seed: UInt64
    ) -> [Tensor] {
        let store = model.store, device = store.device
        let inputs = encoder.modalities.compactMap { batch[$0]?.selecting(rows) }
        let hasLengths = inputs.map { $0.lengths != nil }
        // A plan cuts all tensors alike, the seeds of the rows' dropout with them.
        let seeds = rows.map { RandomSource.value(seed: seed, stream: UInt64(batch.firstRow + $0)) }
        let tensors =
            inputs.flatMap { [$0.values] + ($0.lengths.map { [$0] } ?? []) }
            + [Tensor(seeds.map(Int64.init(bitPattern:)))]
        return plan.encode(tensors) { tensors in
            store.rowSeeds = tensors[tensors.count - 1].scalars(as: Int64.self).map(UInt64.init(bitPattern:))
            defer { store.rowSeeds = nil }
            var rest = tensors.dropLast().makeIterator()
            let inputs = hasLengths.compactMap { hasLengths in
                rest.next().map { values in
                    EncoderInput(
                        values: values.to(device), lengths: hasLengths ? rest.next().map { $0.to(device) } : nil)
                }
            }
            // Within the part that is computed twice: only then are both times the same.
            let outputs = precision.autocast(on: device) { encoder.encode(inputs) }
            // Losses need more digits, and so do the gradients that a cached plan keeps.
            return outputs.map { $0.dtype == .float64 ? $0 : $0.to(.float32) }
        }
    }

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
            return RowValues(values: .zeros([0, 1, width], device: model.store.device), rows: [])
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
        let indices = Tensor(wanted.compactMap { places[$0] })
        return withoutGradient {
            EncoderInput(
                values: values.indexSelected(axis: 0, indices.to(values.device)),
                lengths: lengths.map { $0.indexSelected(axis: 0, indices.to($0.device)) })
        }
    }
}
