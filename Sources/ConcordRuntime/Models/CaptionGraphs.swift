import ConcordCheckpoint
import ConcordCore

/// The graphs `caption_prefill` and `caption_step`, and which of their values are which.
///
/// Keys and values go by layer, the key before the value.
struct CaptionGraphs: Sendable {
    /// What an input of a graph is; numbers count keys and values.
    private enum Input {
        case tokens, ids
        case past(Int)
        case cross(Int)
    }

    let text: TextTransformerConfiguration
    private let prefill, step: ExportedGraph
    private let prefillInputs, stepInputs: [Input]
    /// The logits, then the present keys and values, then those of the picture.
    private let prefillOutputs: [Int]
    /// The logits, then the present keys and values.
    private let stepOutputs: [Int]
    private let pastCount, crossCount: Int

    /// What a read gives.
    struct Read {
        /// float32 `[rows, vocabulary]`.
        let logits: OnnxValue
        /// Keys and values of the tokens so far, `[rows, heads, tokens, headWidth]`.
        let past: [OnnxValue]
        /// Keys and values of the picture, `[rows, heads, pictureTokens, headWidth]`.
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
        /// The names of the keys and values that a graph gives or takes.
        func names(_ kind: String, _ has: (String) -> Bool) throws(ConcordError) -> [String] {
            var names: [String] = []
            while has("\(kind).\(names.count / 2).key") {
                names += ["\(kind).\(names.count / 2).key", "\(kind).\(names.count / 2).value"]
            }
            return names
        }
        func outputs(_ graph: ExportedGraph, _ names: [String]) throws(ConcordError) -> [Int] {
            var places = [try graph.output("logits", .float32, logits)]
            for name in names { places.append(try graph.output(name, .float32, state)) }
            return places
        }
        let present = try names("present", prefill.hasOutput), cross = try names("cross", prefill.hasOutput)
        guard !present.isEmpty, !cross.isEmpty else {
            throw prefill.failure("it gives no 'present.0.key' or 'cross.0.key'")
        }
        (pastCount, crossCount) = (present.count, cross.count)
        prefillOutputs = try outputs(prefill, present + cross)
        stepOutputs = try outputs(step, present)

        try prefill.requireInputs(["tokens", "ids"])
        _ = try prefill.input("tokens", .float32, ["batch", "tokens", "width"])
        _ = try prefill.input("ids", .int64, ["batch", "count"])
        prefillInputs = prefill.session.inputs.map { $0.name == "ids" ? .ids : .tokens }

        let past = present.map { "past" + $0.dropFirst("present".count) }
        try step.requireInputs(["ids"] + past + cross)
        _ = try step.input("ids", .int64, ["batch", "count"])
        for name in past + cross { _ = try step.input(name, .float32, state) }
        stepInputs = step.session.inputs.map { info in
            if let index = past.firstIndex(of: info.name) { return .past(index) }
            return cross.firstIndex(of: info.name).map(Input.cross) ?? .ids
        }
    }

    /// Reads the first tokens of captions: `tokens` of the pictures `[rows, pictureTokens, tokenWidth]`, ids int64
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
        let results = try graph.session.model.run(
            values, wanted: wanted, places: Array(repeating: nil, count: wanted.count), cancellation: nil)
        guard results[0].elementType == .float32, results[0].shape == [rows, text.vocabularySize] else {
            throw ConcordError(
                .inference,
                "the graph `\(graph.role.rawValue)` gave logits \(results[0].shape) where "
                    + "[\(rows), \(text.vocabularySize)] are expected")
        }
        return results
    }
}
