import ConcordCheckpoint
import ConcordCore
import ConcordEvaluate
import ConcordRuntime
import ConcordText

/// The graphs of a folder, run on what is given to them as it is.
struct GraphSessions {
    private let sessions: [ArtifactManifest.GraphRole: OnnxSession]

    /// - Parameter paths: the file of each graph.
    init(
        paths: [ArtifactManifest.GraphRole: String], options: OnnxSessionOptions = OnnxSessionOptions()
    ) throws(ConcordError) {
        var sessions: [ArtifactManifest.GraphRole: OnnxSession] = [:]
        for (role, path) in paths { sessions[role] = try OnnxSession(path: path, options: options) }
        self.sessions = sessions
    }

    func run(
        _ role: ArtifactManifest.GraphRole, _ inputs: [String: OnnxValue]
    ) throws(ConcordError) -> [String: OnnxValue] {
        guard let session = sessions[role] else {
            throw ConcordError(.invalidArgument, "there is no graph `\(role.rawValue)` to run")
        }
        return try session.run(inputs)
    }

    /// Unit vectors of pictures, `[pictures · width]`, and where the model captions their tokens.
    func embed(images: ArraySlice<PreparedImage>) throws(ConcordError) -> (vectors: [Float], tokens: OnnxValue?) {
        guard !images.isEmpty else { return ([], nil) }
        let results = try run(.image, ["pixels": Self.pixels(images)])
        return (try value("embeddings", results).values(), results["tokens"])
    }

    /// Unit vectors of texts, `[texts · width]`.
    func embed(_ batch: TokenBatch, takesLengths: Bool) throws(ConcordError) -> [Float] {
        try value("embeddings", run(.text, Self.inputs(batch, takesLengths: takesLengths))).values()
    }

    /// Pictures as the graph `image` takes them.
    static func pixels(_ images: ArraySlice<PreparedImage>) throws(ConcordError) -> OnnxValue {
        let size = images.first?.size ?? 0
        return try OnnxValue(images.flatMap(\.pixels), shape: [images.count, 3, size, size])
    }

    /// Texts as the graph `text` takes them.
    static func inputs(_ batch: TokenBatch, takesLengths: Bool) throws(ConcordError) -> [String: OnnxValue] {
        var inputs = ["ids": try OnnxValue(batch.ids, shape: [batch.lengths.count, batch.width])]
        if takesLengths {
            inputs["lengths"] = try OnnxValue(batch.lengths.map(Int64.init), shape: [batch.lengths.count])
        }
        return inputs
    }

    /// The graphs in the middle of captions, for `TokenGenerator`: a row for each picture to begin with.
    final class Captions: DecodingSession {
        private let sessions: GraphSessions
        private let text: TextTransformerConfiguration
        private(set) var rowCount: Int
        /// What the next run takes besides the new tokens.
        private var state: [String: OnnxValue]
        private var hasTokens = false

        /// - Parameters:
        ///   - tokens: of the pictures, `[batch, pictureTokens, width]`.
        ///   - text: the model's text tower, which knows the tokens of captions.
        init(_ sessions: GraphSessions, tokens: OnnxValue, _ text: TextTransformerConfiguration) {
            self.sessions = sessions
            self.text = text
            rowCount = tokens.shape[0]
            state = ["tokens": tokens]
        }

        var vocabularySize: Int { text.vocabularySize }
        var contextLength: Int { text.contextLength }
        var startToken: Int32 { Int32(text.startToken) }
        var endToken: Int32 { Int32(text.endToken) }
        var padToken: Int32? { text.captionPadToken }

        func select(rows: [Int]) throws(ConcordError) {
            for name in state.keys { try state[name]?.select(rows: rows) }
            rowCount = rows.count
        }

        /// What the run takes that reads `ids`, `[rows, count]` row by row.
        func inputs(_ ids: [Int32]) throws(ConcordError) -> [String: OnnxValue] {
            var inputs = state
            inputs["ids"] = try OnnxValue(ids.map(Int64.init), shape: [rowCount, ids.count / max(1, rowCount)])
            return inputs
        }

        /// Reads the next tokens of all rows, `[rows, count]` row by row, and gives the logits of the tokens that follow,
        /// `[rows, vocabulary]`.
        func read(_ ids: [Int32]) throws(ConcordError) -> [Float] {
            let results = try sessions.run(hasTokens ? .captionStep : .captionPrefill, inputs(ids))
            hasTokens = true
            state = CaptionState.next(state, results)
            return try sessions.value("logits", results).values()
        }

        func read(
            _ tokens: [Int32], logits body: (TokenLogits) throws(ConcordError) -> Void
        ) throws(ConcordError) {
            let logits = try read(tokens)
            try logits.withUnsafeBufferPointer { logits throws(ConcordError) in try body(.float32(logits)) }
        }
    }

    /// The greedy caption of one picture, without the start token; an end token is its last.
    func caption(
        of image: PreparedImage, _ text: TextTransformerConfiguration, count: Int
    ) throws(ConcordError) -> [Int32] {
        guard let tokens = try embed(images: [image]).tokens else { return [] }
        let request = GenerationRequest(options: GenerationOptions(maxTokens: count))
        return try TokenGenerator(Captions(self, tokens: tokens, text), requests: [request]).run()[0][0].tokens
    }

    fileprivate func value(_ name: String, _ results: [String: OnnxValue]) throws(ConcordError) -> OnnxValue {
        guard let value = results[name] else {
            throw ConcordError(.inference, "a graph gave no output '\(name)'; export the model again")
        }
        return value
    }
}
