import ConcordCore
import ConcordRuntime
import ConcordText

/// Makes the queues of a model.
struct ModelQueues: Sendable {
    let name: String
    let model: ExportedModel
    let metrics: ServerMetrics
    let options: ServingOptions

    func texts() -> Batcher<PreparedText, [Float]> {
        vectors(.text) { [model] texts throws(ConcordError) in try model.embed(texts: texts) }
    }

    func images() -> Batcher<DecodingPool.Picture, [Float]> {
        vectors(.image) { [model] pictures throws(ConcordError) in try model.embed(images: pictures.map(\.image)) }
    }

    func captions() -> Batcher<CaptionItem, [GeneratedTokens]> {
        let work = CaptionWork(model: model, translate: translate)
        return Batcher(
            name: name + "-captions", options: batching(upTo: options.captionBatch, longestRun: nil, gathering: 0.1),
            observe: observe(.caption)
        ) { items, run throws(ServingError) in
            try work(items, run)
        }
    }

    private func vectors<Item: Sendable>(
        _ modality: ServerMetrics.Modality, _ embed: @escaping @Sendable ([Item]) throws(ConcordError) -> [[Float]]
    ) -> Batcher<Item, [Float]> {
        let translate = translate
        return Batcher(
            name: "\(name)-\(modality.rawValue)s", options: batching(upTo: .max, longestRun: options.longestRun),
            observe: observe(modality)
        ) { items, run throws(ServingError) in
            let vectors: [[Float]]
            do throws(ConcordError) { vectors = try embed(items) } catch { throw translate(error) }
            for (index, vector) in vectors.enumerated() { run.finish(index, .success(vector)) }
        }
    }

    private func batching(upTo most: Int, longestRun: Duration?, gathering: Double = 0) -> BatcherOptions {
        let buckets = options.model.batchBuckets.filter { $0 <= most }
        return BatcherOptions(
            // One item can always run, padded where the model's smallest bucket is larger.
            buckets: buckets.first == 1 ? buckets : [1] + buckets, workers: options.concurrentRuns,
            capacity: options.queueCapacity, longestWait: options.longestWait, bulkShare: options.bulkShare,
            longestRun: longestRun, gathering: gathering, stuckAfter: options.stuckAfter)
    }

    private func observe<Item: Sendable, Output: Sendable>(
        _ modality: ServerMetrics.Modality
    ) -> @Sendable (Batcher<Item, Output>.Event) -> Void {
        { [name, metrics] event in
            switch event {
            case .queued(let count): metrics.queued(model: name, modality: modality, items: count)
            case .waited(let seconds): metrics.stage(.queue, model: name, seconds: seconds)
            case .ran(let items, let seconds):
                metrics.batch(model: name, modality: modality, items: items)
                metrics.stage(.compute, model: name, seconds: seconds)
            }
        }
    }

    /// What a client is told of a model's error.
    private var translate: @Sendable (ConcordError) -> ServingError {
        { [name, options] error in
            switch error.code {
            // Texts about options of generation, which came from the client.
            case .invalidArgument: return ServingError(.invalidInput(parameter: nil), error.message)
            case .cancelled: return ServingError(.cancelled, "The request was cancelled.")
            default:
                options.onFault(name, error)
                return ServingError(.failed, "The model could not answer.")
            }
        }
    }
}
