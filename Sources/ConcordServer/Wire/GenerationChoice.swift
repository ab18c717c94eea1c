import ConcordCore
import ConcordText

/// How a caption is to be chosen, as a request says it.
struct GenerationChoice {
    enum Strategy: Sendable {
        case greedy, beam, sample
    }

    var strategy: Strategy?
    var beams: Int?
    var temperature: Double?
    var topP: Double?
    var topK: Int?
    var seed: Int?
    var results = 1

    /// Greedy where nothing is said; what only another strategy would use is refused. The length is for the model to find.
    func options(streams: Bool) throws(RequestFailure) -> GenerationOptions {
        let isSampled = temperature.map { $0 > 0 } ?? false || topK != nil || (topP ?? 1) < 1
        let strategy = strategy ?? (beams.map { $0 > 1 } ?? false ? .beam : isSampled ? .sample : .greedy)
        if strategy != .beam, let beams, beams > 1 {
            throw .invalid("beams", "beams are for the strategy \"beam\".")
        }
        if strategy != .sample, isSampled {
            throw .invalid("temperature", "temperature, top_p and top_k are for the strategy \"sample\".")
        }
        if strategy == .sample, temperature == 0 || topP == 0 {
            throw .invalid(
                temperature == 0 ? "temperature" : "top_p", "Above 0 is needed for the strategy \"sample\".")
        }
        if streams, strategy == .beam {
            throw .invalid("stream", "A search with beams knows its caption only at the end; it cannot be streamed.")
        }
        if streams, results > 1 { throw .invalid("n", "Only one caption can be streamed.") }
        if results > 1, strategy == .greedy {
            throw .invalid("n", "The likeliest caption is one; set a temperature above 0 for several.")
        }
        let choice: GenerationStrategy =
            switch strategy {
            case .greedy: .greedy
            case .beam: .beam(width: max(beams ?? 6, results))
            case .sample:
                .sample(temperature: temperature ?? 1, topK: topK, topP: topP ?? 1, seed: UInt64(max(seed ?? 0, 0)))
            }
        return GenerationOptions(strategy: choice, resultCount: results)
    }
}

/// Texts at which a caption ends: one, or up to four.
struct StopKind: FieldKind {
    private static let several = ListKind(element: FilledTextKind(), maximum: 4)

    var schema: JSONValue { ["oneOf": [FilledTextKind().schema, Self.several.schema]] }
    var formSchema: JSONValue { Self.several.formSchema }

    func value(of json: JSONValue, _ name: String) throws(RequestFailure) -> [String] {
        if json.string != nil { return [try FilledTextKind().value(of: json, name)] }
        return try Self.several.value(of: json, name).values()
    }

    func value(of parts: [MultipartForm.Part], _ name: String) throws(RequestFailure) -> [String] {
        try Self.several.value(of: parts, name).values()
    }
}

extension Field where Kind == StopKind {
    static let stop = Field("stop", StopKind(), "Texts at which the caption ends; they are not part of it.")
}

extension Field where Kind == IntegerKind {
    static let maxTokens = Field(
        "max_tokens", .integer(from: 1),
        "The most tokens of the caption; more than the model has room for are cut to that, which the answer says.")
    static let seed = Field("seed", .integer(from: 0), "The same seed draws the same caption.")
}
