import ConcordCheckpoint
import ConcordCore
import ConcordEvaluate
import ConcordModels
import ConcordRuntime
import ConcordTensor
import ConcordText

/// The distance of the graphs' outputs from the model's.
public struct ExportParity: Sendable, Hashable {
    /// Of one graph's vectors, or of logits.
    public struct Measure: Sendable, Hashable {
        /// Pictures, texts, or tokens.
        public internal(set) var inputs = 0
        /// The largest absolute difference of two numbers; infinite where one is not a number.
        public internal(set) var largestError = 0.0

        package init(inputs: Int = 0, largestError: Double = 0) {
            self.inputs = inputs
            self.largestError = largestError
        }

        mutating func add(_ found: some Collection<Float>, _ expected: some Collection<Float>, inputs: Int) {
            self.inputs += inputs
            guard found.count == expected.count else {
                largestError = .infinity
                return
            }
            for (a, b) in zip(found, expected) {
                let error = abs(Double(a) - Double(b))
                largestError = error.isFinite ? max(largestError, error) : .infinity
            }
        }
    }

    public private(set) var images, logits: Measure?
    public private(set) var texts = Measure()
    /// How many tokens of greedy captions are others than the model's, where the model's own is ahead by more than the
    /// tolerance.
    public private(set) var differentTokens = 0
    public let tolerance: Double

    /// Whether every measure is within the tolerance, and every caption has the model's tokens.
    public var isMet: Bool {
        [images, logits, texts].compactMap(\.self).allSatisfy { $0.largestError <= tolerance } && differentTokens == 0
    }

    package init(
        images: Measure?, texts: Measure, logits: Measure? = nil, differentTokens: Int = 0, tolerance: Double
    ) {
        self.images = images
        self.texts = texts
        self.logits = logits
        self.differentTokens = differentTokens
        self.tolerance = tolerance
    }

    /// Sizes of batches, one after another.
    private static let batchSizes = [1, 3, 8, 2, 5, 16]

    /// Runs graphs and model on the same inputs, in batches of several sizes.
    ///
    /// - Parameter progress: is told how many inputs are done.
    static func measure(
        _ sessions: GraphSessions, against model: EmbeddingModel, on samples: ExportSamples, tolerance: Double,
        progress: (_ done: Int) -> Void
    ) throws -> ExportParity {
        var parity = ExportParity(images: nil, texts: Measure(), tolerance: tolerance)
        var done = 0
        let isBERT = if case .bert = try model.textSide().encoder.textConfiguration { true } else { false }
        for texts in batches(samples.texts) {
            let batch = try model.tokenBatch(Array(texts))
            let expected = try model.embed(batch).scalars(as: Float.self)
            parity.texts.add(try sessions.embed(batch, takesLengths: isBERT), expected, inputs: texts.count)
            done += texts.count
            progress(done)
        }
        guard model.images != nil else { return parity }
        var images = Measure()
        for pictures in batches(samples.pictures) {
            let expected = try model.embed(pixels: pictures.flatMap(\.pixels), count: pictures.count)
            let found = try sessions.embed(images: pictures)
            images.add(found.vectors, expected.scalars(as: Float.self), inputs: pictures.count)
            if let captioner = model.encoder as? any CaptioningModel, let tokens = found.tokens {
                try parity.compareCaptions(of: pictures, captioner, GraphSessions.Captions(sessions, tokens: tokens))
            }
            done += pictures.count
            progress(done)
        }
        parity.images = images
        return parity
    }

    private static func batches<Element>(_ elements: [Element]) -> [ArraySlice<Element>] {
        var batches: [ArraySlice<Element>] = [], start = 0
        while start < elements.count {
            let end = min(elements.count, start + batchSizes[batches.count % batchSizes.count])
            batches.append(elements[start..<end])
            start = end
        }
        return batches
    }

    /// Lets both write the model's greedy captions, so that a token which differs does not hide those behind it.
    private mutating func compareCaptions(
        of pictures: ArraySlice<PreparedImage>, _ model: any CaptioningModel, _ graphs: GraphSessions.Captions
    ) throws {
        var graphs = graphs
        let size = model.visionConfiguration.imageSize
        let session = try CaptionSession(
            model, pixels: Tensor(pictures.flatMap(\.pixels), shape: [pictures.count, 3, size, size]))
        let rule = CaptionRule(session), vocabulary = session.vocabularySize
        var measure = logits ?? Measure(), different = 0
        var next = [Int32](repeating: session.startToken, count: pictures.count)
        var isOpen = [Bool](repeating: true, count: pictures.count)
        for _ in 0..<min(30, session.contextLength - 1) where isOpen.contains(true) {
            let found = try graphs.read(next)
            var expected: [Float] = []
            try session.read(next) { logits throws(ConcordError) in
                if case .float32(let values) = logits { expected = Array(values) }
            }
            for row in pictures.indices.map({ $0 - pictures.startIndex }) where isOpen[row] {
                let range = row * vocabulary..<(row + 1) * vocabulary
                guard expected.count >= range.upperBound, found.count == expected.count else {
                    throw ConcordError(.shapeMismatch, "\(found.count) logits where there should be \(expected.count)")
                }
                measure.add(found[range], expected[range], inputs: 1)
                let choice = rule.choice(expected[range])
                if rule.choice(found[range]).token != choice.token, Double(choice.lead) > tolerance { different += 1 }
                next[row] = choice.token
                isOpen[row] = choice.token != rule.endToken
            }
        }
        logits = measure
        differentTokens += different
    }
}

extension CaptionRule {
    init(_ session: CaptionSession) {
        self.init(startToken: session.startToken, endToken: session.endToken, padToken: session.padToken)
    }
}

extension ExportParity {
    var json: JSONValue {
        func members(_ measure: Measure, _ name: String) -> JSONValue {
            // Infinity has no form in JSON.
            let error: JSONValue = measure.largestError.isFinite ? .number(measure.largestError) : nil
            return .object([.init(name, .integer(measure.inputs)), .init("max_abs", error)])
        }
        var list: [JSONValue.Member] = [.init("tolerance", .number(tolerance)), .init("text", members(texts, "texts"))]
        if let images { list.append(.init("image", members(images, "pictures"))) }
        if let logits {
            list.append(.init("caption_logits", members(logits, "tokens")))
            list.append(.init("different_tokens", .integer(differentTokens)))
        }
        return .object(list)
    }
}
