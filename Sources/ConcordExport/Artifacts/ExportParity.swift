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
                try parity.compareCaptions(
                    of: pictures, captioner, GraphSessions.Captions(sessions, tokens: tokens, captioner.textTransformer)
                )
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
        let size = model.visionConfiguration.imageSize
        let session = try CaptionSession(
            model, pixels: Tensor(pictures.flatMap(\.pixels), shape: [pictures.count, 3, size, size]))
        let comparison = CaptionComparison(session, graphs, tolerance: tolerance)
        let options = GenerationOptions(maxTokens: min(30, session.contextLength - 1))
        _ = try TokenGenerator(comparison, requests: pictures.map { _ in GenerationRequest(options: options) }).run()
        var measure = logits ?? Measure()
        measure.inputs += comparison.measure.inputs
        measure.largestError = max(measure.largestError, comparison.measure.largestError)
        logits = measure
        differentTokens += comparison.differentTokens
    }
}

/// A model that writes captions, while graphs read the same tokens and are compared with it.
private final class CaptionComparison: DecodingSession {
    private let model: CaptionSession
    private let graphs: GraphSessions.Captions
    private let tolerance: Double
    private(set) var measure = ExportParity.Measure()
    /// Tokens that are others, where the model's own is ahead by more than the tolerance.
    private(set) var differentTokens = 0

    init(_ model: CaptionSession, _ graphs: GraphSessions.Captions, tolerance: Double) {
        self.model = model
        self.graphs = graphs
        self.tolerance = tolerance
    }

    var vocabularySize: Int { model.vocabularySize }
    var contextLength: Int { model.contextLength }
    var startToken: Int32 { model.startToken }
    var endToken: Int32 { model.endToken }
    var padToken: Int32? { model.padToken }
    var rowCount: Int { model.rowCount }

    func select(rows: [Int]) throws(ConcordError) {
        try model.select(rows: rows)
        try graphs.select(rows: rows)
    }

    func read(
        _ tokens: [Int32], logits body: (TokenLogits) throws(ConcordError) -> Void
    ) throws(ConcordError) {
        let found = try graphs.read(tokens)
        try model.read(tokens) { expected throws(ConcordError) in
            guard expected.count == found.count, found.count == rowCount * vocabularySize else {
                throw ConcordError(
                    .shapeMismatch, "\(found.count) logits where there should be \(expected.count)")
            }
            found.withUnsafeBufferPointer { compare(.float32($0), with: expected) }
            try body(expected)
        }
    }

    private func compare(_ found: TokenLogits, with expected: TokenLogits) {
        for row in 0..<rowCount {
            measure.add(
                found.values(row: row, vocabularySize: vocabularySize),
                expected.values(row: row, vocabularySize: vocabularySize), inputs: 1)
            let own = expected.mostLikely(row: row, vocabularySize: vocabularySize, padToken: padToken)
            let other = found.mostLikely(row: row, vocabularySize: vocabularySize, padToken: padToken)
            if let own, own.token != other?.token, own.lead > tolerance { differentTokens += 1 }
        }
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
