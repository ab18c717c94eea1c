import ConcordCore
import ConcordMedia
import ConcordText

extension ExportedModel {
    /// Runs every graph once in every batch bucket, so that the first request is not slower than others.
    ///
    /// - Parameter batches: the sizes to run instead of all buckets; the smallest makes a model ready soonest.
    /// - Throws: as ``embed(images:)``.
    public func warmUp(batches: [Int]? = nil) throws(ConcordError) {
        let text = prepare(text: manifest.canary.text)
        for size in batches ?? options.batchBuckets {
            _ = try embed(texts: Array(repeating: text, count: size))
            guard let prepared = canaryImage else { continue }
            let images = Array(repeating: prepared, count: size)
            _ = try embed(images: images)
            guard canCaption else { continue }
            let session = try makeCaptionSession(for: images)
            // The first read prefills, the second steps.
            for _ in 0..<min(2, session.contextLength) {
                try session.read(Array(repeating: session.startToken, count: size)) { _ in }
            }
        }
    }

    /// Throws `.inference` when the model does not say to the canary of its manifest what it said when it was exported.
    ///
    /// Vectors must have a cosine of 0.9999 to those, or of 0.999 where weights have 8 bits: processors differ in how
    /// they multiply those. A caption's tokens must be equal, but not with 8 bits. Throws `.unavailable` without a thread.
    public func checkCanary() throws(ConcordError) {
        let canary = manifest.canary
        // Beside the image's, because a service is not ready before both are here.
        let text = BackgroundWork { () throws(ConcordError) in
            try self.embed(texts: [self.prepare(text: canary.text)])[0]
        }
        let prepared = canaryImage
        // Both are awaited before either is judged, so that no run outlives this call.
        let image = Result { () throws(ConcordError) in try prepared.map(embedOne) }
        let words = Result { () throws(ConcordError) in try text.value() }
        try compare("text", words.get(), canary.textEmbedding)
        guard let prepared, let vector = try image.get() else { return }
        if let expected = canary.imageEmbedding { try compare("image", vector, expected) }
        guard let expected = canary.caption, !expected.isEmpty else { return }
        let options = GenerationOptions(maxTokens: expected.count)
        let session = try makeCaptionSession(for: [prepared])
        let found = try TokenGenerator(session, requests: [GenerationRequest(options: options)]).run()
        guard manifest.precision != .float32 || found.first?.first?.tokens == expected else {
            throw ConcordError(
                .inference,
                "the model captions its canary image with the tokens \(found.first?.first?.tokens ?? []), not with "
                    + "\(expected) as when it was exported; export it again, or check the machine's memory")
        }
    }

    private func embedOne(_ image: PreparedImage) throws(ConcordError) -> [Float] {
        try embed(images: [image])[0]
    }

    private var canaryImage: PreparedImage? { preprocessing.map { .canary(size: $0.cropSize) } }

    private func compare(_ what: String, _ found: [Float], _ expected: [Float]) throws(ConcordError) {
        guard found.count == expected.count else {
            throw ConcordError(
                .inference, "the embedding of the canary \(what) has \(found.count) values, not \(expected.count)")
        }
        let needed: Float = manifest.precision == .float32 ? 0.9999 : 0.999
        let lengths = (dot(found, found) * dot(expected, expected)).squareRoot()
        let cosine = lengths > 0 ? dot(found, expected) / lengths : 0
        guard cosine >= needed else {
            throw ConcordError(
                .inference,
                "the embedding of the canary \(what) has a cosine of \(cosine) to the one at export, below \(needed); "
                    + "export the model again, or check the machine's memory")
        }
    }
}
