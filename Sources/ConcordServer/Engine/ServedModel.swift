import ConcordCore
import ConcordRuntime
import ConcordText

/// A model with the queues in which requests for it wait.
///
/// When the last reference is released, its threads end and its memory is freed.
package final class ServedModel: Sendable {
    package let name: String
    package let manifest: ArtifactManifest
    /// Tokens of the longest text, start and end token included.
    package let contextLength: Int
    package let tokenizer: any Tokenizer
    /// A warning that results may be wrong on this machine; safe for clients.
    package let warning: String?
    let model: ExportedModel
    let decoding: DecodingPool
    let metrics: ServerMetrics
    let texts: Batcher<PreparedText, [Float]>
    let images: Batcher<DecodingPool.Decoded, [Float]>?
    let captioner: Batcher<CaptionJob, [GeneratedTokens]>?
    private let flights = SingleFlight<String, [Float]>()
    private let recent: LRUCache<String, [Float]>

    init(
        name: String, model: ExportedModel, decoding: DecodingPool, metrics: ServerMetrics, options: ServingOptions
    ) {
        self.name = name
        self.model = model
        self.decoding = decoding
        self.metrics = metrics
        manifest = model.manifest
        contextLength = model.contextLength
        tokenizer = model.tokenizer
        warning = options.productsSaturate && (model.multipliedWeightBits ?? 0) > 7 ? Self.saturationWarning : nil
        recent = LRUCache(capacity: options.cachedEmbeddings)
        let queues = ModelQueues(name: name, model: model, metrics: metrics, options: options)
        texts = queues.texts()
        images = model.hasImageTower ? queues.images() : nil
        captioner = model.canCaption ? queues.captions() : nil
    }

    private static let saturationWarning =
        "The weights have 8 bits, and this processor, which has no VNNI, cuts off sums of their products: vectors may be "
        + "wrong. Export the model on such a processor, which gives weights of 7 bits, or serve it on one with VNNI."

    /// Stamps of its folder's files when they were read, by name.
    var stamps: [String: FileStamp] { model.stamps }

    package var hasImageTower: Bool { images != nil }
    package var canCaption: Bool { captioner != nil }

    // MARK: - Images

    /// The unit vector `[width]` of an encoded image, and its width × height.
    ///
    /// An image that is being embedded for somebody else is not embedded again.
    package func embed(
        image bytes: [UInt8], parameter: String? = nil, _ context: WorkContext
    ) async throws(ServingError) -> (vector: [Float], pixels: Int) {
        guard let images else { throw ServingError(.unsupported, "This model embeds texts only.") }
        return try await counted(.image) { () async throws(ServingError) in
            // Whether there is time is found out before anything is decoded.
            let ticket = try images.admit(context), decodingTicket = try decoding.admit(context)
            let inspection = try await decoding.inspect(bytes, parameter: parameter)
            let key = manifest.vectorSpace + inspection.hash
            if recent.isUsed {
                let known = recent[key]
                metrics.cache(hit: known != nil)
                if let known { return (known, inspection.pixels) }
            }
            let vector = try await flights.value(for: key) { [self] () async throws(ServingError) in
                let decoded = try await prepare(bytes, inspection, parameter, decodingTicket, context)
                let vector = try await images.run(decoded, ticket: ticket, context)
                recent.insert(vector, for: key)
                return vector
            }
            return (vector, inspection.pixels)
        }
    }

    func prepare(
        _ bytes: [UInt8], _ inspection: DecodingPool.Inspection, _ parameter: String?, _ ticket: QueueSlot,
        _ context: WorkContext
    ) async throws(ServingError) -> DecodingPool.Decoded {
        let start = ContinuousClock.now
        let decoded = try await decoding.prepare(
            bytes, inspection, for: model, parameter: parameter, ticket: ticket, context)
        metrics.stage(.decode, model: name, seconds: (ContinuousClock.now - start).inSeconds)
        metrics.decodedPixels(inspection.pixels)
        return decoded
    }

    // MARK: - Texts

    /// The most bytes of a text. No model reads nearly as many, and all of them would be cleaned and split first.
    static let maximumTextBytes = 1 << 20

    /// The unit vector `[width]` of a text, and the number of its tokens, special ones included.
    ///
    /// - Parameter truncates: whether a text above the context length loses its end; it is refused otherwise.
    package func embed(
        text: String, parameter: String? = nil, truncates: Bool = true, _ context: WorkContext
    ) async throws(ServingError) -> (vector: [Float], tokens: Int, isTruncated: Bool) {
        try await counted(.text) { () async throws(ServingError) in
            guard text.utf8.count <= Self.maximumTextBytes else {
                throw ServingError(
                    .tooLarge, "A text has \(text.utf8.count) bytes; at most \(Self.maximumTextBytes) are read.")
            }
            let ticket = try texts.admit(context)
            let prepared: PreparedText
            if text.utf8.count <= 1024 {
                prepared = model.prepare(text: text)
            } else {
                prepared = await decoding.quickly { [model] () throws(Never) in model.prepare(text: text) }
            }
            return try await embed(prepared, parameter, truncates, ticket, context)
        }
    }

    /// The unit vector `[width]` of a text given by its tokens. Special ones at its ends are added where they are missing.
    package func embed(
        tokens: [Int32], parameter: String? = nil, truncates: Bool = true, _ context: WorkContext
    ) async throws(ServingError) -> (vector: [Float], tokens: Int, isTruncated: Bool) {
        try await counted(.text) { () async throws(ServingError) in
            let ticket = try texts.admit(context)
            guard tokens.allSatisfy({ $0 >= 0 && $0 < tokenizer.vocabularySize }) else {
                throw .invalid(
                    parameter,
                    "The tokens are not all from 0 to \(tokenizer.vocabularySize - 1), which this model knows.")
            }
            return try await embed(withSpecialTokens(tokens), parameter, truncates, ticket, context)
        }
    }

    private func withSpecialTokens(_ tokens: [Int32]) -> PreparedText {
        let special = tokenizer.encode("")
        var ids = tokens
        if let last = special.last, ids.last == last { ids.removeLast() }
        if special.count > 1, let first = special.first, ids.first == first { ids.removeFirst() }
        let room = max(contextLength - special.count, 0), isTruncated = ids.count > room
        return PreparedText(
            ids: Array(special.dropLast() + ids.prefix(room) + special.suffix(1)), isTruncated: isTruncated)
    }

    private func embed(
        _ text: PreparedText, _ parameter: String?, _ truncates: Bool, _ ticket: QueueSlot, _ context: WorkContext
    ) async throws(ServingError) -> (vector: [Float], tokens: Int, isTruncated: Bool) {
        guard truncates || !text.isTruncated else {
            throw .invalid(
                parameter, "The text has more than the \(contextLength) tokens that this model reads.")
        }
        return (try await texts.run(text, ticket: ticket, context), text.ids.count, text.isTruncated)
    }

    // MARK: - Both

    /// Scaled cosines of unit vectors, with the bias where the model has one: row by row `[images, texts]`.
    package func logits(images: [[Float]], texts: [[Float]]) -> [[Float]] { model.logits(images: images, texts: texts) }

    /// Items that wait, of images, texts and captions together.
    var queuedItems: Int {
        texts.queuedCount + (images?.queuedCount ?? 0) + (captioner?.queuedCount ?? 0)
    }

    var meanBatch: Double? {
        let means = [texts.meanBatch, images?.meanBatch, captioner?.meanBatch].compactMap(\.self)
        return means.isEmpty ? nil : means.reduce(0, +) / Double(means.count)
    }

    /// Refuses new work, finishes what was accepted, and ends the threads.
    func close() async {
        await texts.close()
        await images?.close()
        await captioner?.close()
    }

    /// Counts an item by how its work ended.
    func counted<Value>(
        _ modality: ServerMetrics.Modality, _ body: () async throws(ServingError) -> Value
    ) async throws(ServingError) -> Value {
        do throws(ServingError) {
            let value = try await body()
            metrics.items(model: name, modality: modality, outcome: "ok")
            return value
        } catch {
            metrics.items(model: name, modality: modality, outcome: error.outcome)
            throw error
        }
    }
}

/// Makes the queues of a model.
struct ModelQueues: Sendable {
    let name: String
    let model: ExportedModel
    let metrics: ServerMetrics
    let options: ServingOptions

    func texts() -> Batcher<PreparedText, [Float]> {
        vectors(.text) { [model] texts throws(ConcordError) in try model.embed(texts: texts) }
    }

    func images() -> Batcher<DecodingPool.Decoded, [Float]> {
        vectors(.image) { [model] decoded throws(ConcordError) in try model.embed(images: decoded.map(\.image)) }
    }

    func captions() -> Batcher<CaptionJob, [GeneratedTokens]> {
        let work = CaptionWork(model: model, translate: translate)
        return Batcher(
            name: name + "-captions", options: captionQueue,
            observe: observe(.caption)
        ) { items, run throws(ServingError) in
            try work.perform(items, run)
        }
    }

    private func vectors<Item: Sendable>(
        _ modality: ServerMetrics.Modality, _ embed: @escaping @Sendable ([Item]) throws(ConcordError) -> [[Float]]
    ) -> Batcher<Item, [Float]> {
        let translate = translate
        return Batcher(
            name: "\(name)-\(modality.rawValue)s", options: queue(upTo: .max),
            observe: observe(modality)
        ) { items, run throws(ServingError) in
            let vectors: [[Float]]
            do throws(ConcordError) { vectors = try embed(items) } catch { throw translate(error) }
            for (index, vector) in vectors.enumerated() { run.finish(index, .success(vector)) }
        }
    }

    private func queue(upTo most: Int) -> QueueOptions {
        var queue = options.queue
        let buckets = options.model.batchBuckets.filter { $0 <= most }
        // One item can always run, padded where the model's smallest bucket is larger.
        queue.buckets = buckets.first == 1 ? buckets : [1] + buckets
        return queue
    }

    /// A caption takes as long as its tokens, so its run has no cap, and is worth waiting for company.
    private var captionQueue: QueueOptions {
        var queue = queue(upTo: options.captionBatch)
        queue.longestRun = nil
        queue.gathering = 0.1
        return queue
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

    /// The error for clients of a model's error.
    private var translate: @Sendable (ConcordError) -> ServingError {
        { [name, options] error in
            switch error.code {
            // Texts about options of generation, which came from the client.
            case .invalidArgument: return ServingError(.invalidInput, error.message)
            case .cancelled: return ServingError.cancelled
            default:
                options.onFault(name, error)
                return ServingError(.failed, "The model could not answer.")
            }
        }
    }
}
