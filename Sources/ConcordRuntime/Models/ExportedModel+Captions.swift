import ConcordCheckpoint
import ConcordCore
import ConcordMedia
import ConcordText

extension ExportedModel {
    /// The caption of an image file, from reading it to its text.
    ///
    /// - Parameters:
    ///   - prompt: what the caption begins with.
    ///   - options: `nil` for the likeliest token at each step, and 30 tokens, or what the model's context has room for.
    /// - Throws: `.fileSystem`, `.invalidImage`; otherwise as ``caption(images:prompt:options:)``.
    public func caption(
        imageAt path: String, prompt: String? = nil, options: GenerationOptions? = nil
    ) throws(ConcordError) -> GeneratedCaption {
        let start: [Int32]? = if let prompt { try prepare(prompt: prompt) } else { nil }
        let found = try caption(images: [prepare(imageAt: path)], prompt: start, options: options)
        guard let caption = found.first?.first else {
            throw ConcordError(.invalidArgument, "\(path): no caption satisfies the options; allow more tokens")
        }
        return caption
    }

    /// The captions of images, which are written together: for each as many as the options ask for, the best first.
    ///
    /// - Parameters:
    ///   - prompt: what all captions begin with, as ``prepare(prompt:)`` gives it.
    ///   - options: `nil` for the likeliest token at each step, and 30 tokens, or what the model's context has room for.
    /// - Throws: `.invalidConfiguration` for a model that does not caption, `.invalidArgument` for options that are
    ///   impossible or do not fit the model, `.shapeMismatch` for an image of another size, `.nonFiniteValue`,
    ///   `.inference`.
    public func caption(
        images: [PreparedImage], prompt: [Int32]? = nil, options: GenerationOptions? = nil
    ) throws(ConcordError) -> [[GeneratedCaption]] {
        guard !images.isEmpty else { return [] }
        let session = try makeCaptionSession(for: images)
        let room = max(1, session.contextLength - (prompt?.count ?? 1))
        let request = GenerationRequest(
            prompt: prompt, options: options ?? GenerationOptions(maxTokens: min(30, room)))
        return try TokenGenerator(session, requests: images.map { _ in request }).run().map { results in
            results.map { GeneratedCaption(text: tokenizer.decode((prompt ?? []) + $0.tokens), tokens: $0) }
        }
    }

    /// Reads, decodes and prepares an image file.
    ///
    /// - Throws: `.fileSystem`, `.invalidImage`; `.invalidConfiguration` for a model of texts alone.
    public func prepare(imageAt path: String, limits: ImageLimits = .standard) throws(ConcordError) -> PreparedImage {
        let bytes = try Files.read(path, limit: limits.maximumBytes)
        return try bytes.withUnsafeBufferPointer { bytes throws(ConcordError) in
            try prepare(image: UnsafeRawBufferPointer(bytes), name: path, limits: limits)
        }
    }
}

/// The caption graphs in the middle of captions, for `TokenGenerator`: a row for each image to begin with.
final class ExportedCaptionSession: DecodingSession {
    private let graphs: CaptionGraphs
    /// The images' tokens `[rows, imageTokens, tokenWidth]`; nil after the first read, which makes `cross` of them.
    private var imageTokens: OnnxValue?
    /// Keys and values of each layer: of the tokens so far, and of the image. Empty before the first read.
    private var past: [OnnxValue] = []
    private var cross: [OnnxValue] = []
    /// The image of each row.
    private var imageOfRow: [Int]
    /// The number of tokens of each row.
    private var count = 0

    /// - Parameter tokens: of the images, `[images, imageTokens, tokenWidth]`.
    init(_ graphs: CaptionGraphs, tokens: OnnxValue) {
        self.graphs = graphs
        imageTokens = tokens
        imageOfRow = Array(0..<(tokens.shape.first ?? 0))
    }

    var vocabularySize: Int { graphs.text.vocabularySize }
    var contextLength: Int { graphs.text.contextLength }
    var startToken: Int32 { Int32(graphs.text.startToken) }
    var endToken: Int32 { Int32(graphs.text.endToken) }
    var padToken: Int32? { graphs.text.captionPadToken }
    var rowCount: Int { imageOfRow.count }

    func select(rows: [Int]) throws(ConcordError) {
        for row in rows where !imageOfRow.indices.contains(row) {
            throw ConcordError(.invalidArgument, "row \(row) was selected of \(imageOfRow.count) rows")
        }
        let selected = rows.map { imageOfRow[$0] }
        try imageTokens?.select(rows: rows)
        for index in past.indices { try past[index].select(rows: rows) }
        // The beams of an image change places among themselves at every token; what they see of it stays.
        if selected != imageOfRow { for index in cross.indices { try cross[index].select(rows: rows) } }
        imageOfRow = selected
    }

    func read(
        _ tokens: [Int32], logits body: (TokenLogits) throws(ConcordError) -> Void
    ) throws(ConcordError) {
        let rows = imageOfRow.count
        guard rows > 0, !tokens.isEmpty, tokens.count.isMultiple(of: rows) else {
            throw ConcordError(.invalidArgument, "\(tokens.count) tokens for \(rows) rows; give each row as many")
        }
        let added = tokens.count / rows
        guard count + added <= contextLength else {
            throw ConcordError(
                .invalidArgument,
                "a caption of \(count + added) tokens exceeds the model's context of \(contextLength); "
                    + "ask for fewer tokens")
        }
        let ids = try OnnxValue(of: Int64.self, shape: [rows, added]) { buffer in
            for (index, token) in tokens.enumerated() { buffer[index] = Int64(token) }
        }
        let read: CaptionGraphs.Read
        if let imageTokens {
            read = try graphs.first(imageTokens, ids)
            cross = read.cross
            self.imageTokens = nil
        } else {
            read = try graphs.next(ids, past: past, cross: cross)
        }
        past = read.past
        count += added
        try read.logits.withUnsafeBytes { bytes throws(ConcordError) in
            try body(.float32(bytes.bindMemory(to: Float.self)))
        }
    }
}

/// Keys and values that caption graphs pass from token to token. The exporter names the graphs' values by it, and whoever
/// runs them finds them by it.
package enum CaptionState: String, CaseIterable {
    /// An output: keys and values of the tokens so far.
    case present
    /// An input of the next step: what `present` was.
    case past
    /// Keys and values of the image: outputs of the first read, and inputs of each step.
    case cross

    /// `KIND.LAYER.key` and `KIND.LAYER.value` for each layer.
    package func names(layers: Int) -> [String] {
        (0..<layers).flatMap { ["\(rawValue).\($0).key", "\(rawValue).\($0).value"] }
    }

    /// The number of layers that a graph has of this kind.
    func layerCount(among values: [OnnxValueInfo]) -> Int {
        let names = Set(values.map(\.name))
        return (0...).first { !names.contains("\(rawValue).\($0).key") } ?? 0
    }

    /// The inputs of the next step, of what a run took and gave: the rest is for one run only.
    package static func next(
        _ inputs: [String: OnnxValue], _ outputs: [String: OnnxValue]
    ) -> [String: OnnxValue] {
        var next = inputs.filter { $0.key.hasPrefix("\(cross).") }
        for (name, value) in outputs {
            if name.hasPrefix("\(present).") {
                next["\(past)" + name.dropFirst("\(present)".count)] = value
            } else if name.hasPrefix("\(cross).") {
                next[name] = value
            }
        }
        return next
    }
}

/// The graphs `caption_prefill` and `caption_step`, and which of their values are which.
///
/// Keys and values go by layer, the key before the value.
struct CaptionGraphs: Sendable {
    /// The meaning of a graph's input; numbers count keys and values.
    private enum Input {
        case tokens, ids
        case past(Int)
        case cross(Int)
    }

    let text: TextTransformerConfiguration
    private let prefill, step: ExportedGraph
    private let prefillInputs, stepInputs: [Input]
    /// The logits, then the present keys and values, then those of the image.
    private let prefillOutputs: [Int]
    /// The logits, then the present keys and values.
    private let stepOutputs: [Int]
    private let pastCount, crossCount: Int

    /// The result of a read.
    struct Read {
        /// float32 `[rows, vocabulary]`.
        let logits: OnnxValue
        /// Keys and values of the tokens so far, `[rows, heads, tokens, headWidth]`.
        let past: [OnnxValue]
        /// Keys and values of the image, `[rows, heads, imageTokens, headWidth]`.
        let cross: [OnnxValue]
    }

    /// Throws `.invalidModel`.
    init(
        prefill: ExportedGraph, step: ExportedGraph, _ text: TextTransformerConfiguration
    ) throws(ConcordError) {
        self.prefill = prefill
        self.step = step
        self.text = text
        let logits: [OnnxDimension] = ["batch", .fixed(text.vocabularySize)]
        let state: [OnnxDimension] = ["batch", "heads", "count", "width"]
        func outputs(_ graph: ExportedGraph, _ names: [String]) throws(ConcordError) -> [Int] {
            var places = [try graph.output("logits", .float32, logits)]
            for name in names { places.append(try graph.output(name, .float32, state)) }
            return places
        }
        let layers = CaptionState.present.layerCount(among: prefill.session.outputs)
        let present = CaptionState.present.names(layers: layers)
        let cross = CaptionState.cross.names(
            layers: CaptionState.cross.layerCount(among: prefill.session.outputs))
        guard !present.isEmpty, !cross.isEmpty else {
            throw prefill.failure("it has no output 'present.0.key' or 'cross.0.key'")
        }
        (pastCount, crossCount) = (present.count, cross.count)
        prefillOutputs = try outputs(prefill, present + cross)
        stepOutputs = try outputs(step, present)

        try prefill.requireInputs(["tokens", "ids"])
        _ = try prefill.input("tokens", .float32, ["batch", "tokens", "width"])
        _ = try prefill.input("ids", .int64, ["batch", "count"])
        prefillInputs = prefill.session.inputs.map { $0.name == "ids" ? .ids : .tokens }

        let past = CaptionState.past.names(layers: layers)
        try step.requireInputs(["ids"] + past + cross)
        _ = try step.input("ids", .int64, ["batch", "count"])
        for name in past + cross { _ = try step.input(name, .float32, state) }
        stepInputs = step.session.inputs.map { info in
            if let index = past.firstIndex(of: info.name) { return .past(index) }
            return cross.firstIndex(of: info.name).map(Input.cross) ?? .ids
        }
    }

    /// Reads the first tokens of captions: `tokens` of the images `[rows, imageTokens, tokenWidth]`, ids int64
    /// `[rows, count]`.
    func first(_ tokens: OnnxValue, _ ids: OnnxValue) throws(ConcordError) -> Read {
        let values = prefillInputs.map { input in if case .ids = input { ids } else { tokens } }
        let results = try run(prefill, values, prefillOutputs, rows: ids.shape[0])
        return Read(
            logits: results[0], past: Array(results[1...pastCount]), cross: Array(results[(1 + pastCount)...]))
    }

    /// Reads the tokens that follow, ids int64 `[rows, count]`.
    func next(_ ids: OnnxValue, past: [OnnxValue], cross: [OnnxValue]) throws(ConcordError) -> Read {
        let values = stepInputs.map { input in
            switch input {
            case .past(let index): past[index]
            case .cross(let index): cross[index]
            case .ids, .tokens: ids
            }
        }
        let results = try run(step, values, stepOutputs, rows: ids.shape[0])
        return Read(logits: results[0], past: Array(results[1...]), cross: cross)
    }

    private func run(
        _ graph: ExportedGraph, _ values: [OnnxValue], _ wanted: [Int], rows: Int
    ) throws(ConcordError) -> [OnnxValue] {
        // Not by way of the session's checks: these values were checked when they were made, once for all steps.
        let results = try graph.session.run(
            values, wanted: wanted)
        guard results[0].elementType == .float32, results[0].shape == [rows, text.vocabularySize] else {
            throw ConcordError(
                .inference,
                "the graph `\(graph.role.rawValue)` returned logits \(results[0].shape) where "
                    + "[\(rows), \(text.vocabularySize)] are expected")
        }
        return results
    }
}
