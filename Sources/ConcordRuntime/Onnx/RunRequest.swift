import ConcordCore

/// A run whose values were checked against what the model says of itself.
struct RunRequest: Sendable {
    /// In the order of the model's inputs.
    private let values: [OnnxValue]
    /// Positions in the model's outputs.
    private let wanted: [Int]
    private let names: [String]
    /// Where to write each of `wanted`.
    private var places: [OnnxValue?]

    /// Throws `.invalidArgument` for names that are unknown or missing, `.dtypeMismatch` and `.shapeMismatch`.
    init(inputs: [String: OnnxValue], outputs: [String]?, model: LoadedModel) throws(ConcordError) {
        for name in inputs.keys.sorted() where !model.inputs.contains(where: { $0.name == name }) {
            throw RunRequest.unknown("input", name, model.inputs)
        }
        // What each symbolic length is in this run, and which input said so.
        var lengths: [String: (length: Int, input: String)] = [:]
        var values: [OnnxValue] = []
        for info in model.inputs {
            guard let value = inputs[info.name] else {
                throw ConcordError(.invalidArgument, "the model's input '\(info.name)' is missing; it is \(info)")
            }
            try RunRequest.check(value, info, &lengths)
            values.append(value)
        }
        self.values = values
        names = outputs ?? model.outputs.map(\.name)
        var wanted: [Int] = []
        for name in names {
            guard let index = model.outputs.firstIndex(where: { $0.name == name }) else {
                throw RunRequest.unknown("output", name, model.outputs)
            }
            guard !wanted.contains(index) else {
                throw ConcordError(.invalidArgument, "the output '\(name)' is asked for twice; name it once")
            }
            wanted.append(index)
        }
        guard !wanted.isEmpty else {
            throw ConcordError(.invalidArgument, "a run without outputs has no purpose; name one, or none for all")
        }
        self.wanted = wanted
        places = Array(repeating: nil, count: wanted.count)
    }

    /// Takes the values out of `outputs` as places to write to.
    mutating func take(_ outputs: inout [String: OnnxValue]) throws(ConcordError) {
        for (index, name) in names.enumerated() {
            // Taken out of the dictionary first, which would be a second reference.
            var place = outputs.removeValue(forKey: name)
            place?.makeUnique()
            places[index] = place
        }
    }

    func run(_ model: LoadedModel, _ cancellation: Cancellation?) throws(ConcordError) -> [String: OnnxValue] {
        let results = try model.run(values, wanted: wanted, places: places, cancellation: cancellation)
        return Dictionary(zip(names, results), uniquingKeysWith: { first, _ in first })
    }

    private static func check(
        _ value: OnnxValue, _ info: OnnxValueInfo, _ lengths: inout [String: (length: Int, input: String)]
    ) throws(ConcordError) {
        guard value.elementType == info.elementType else {
            throw ConcordError(
                .dtypeMismatch,
                "the input '\(info.name)' takes \(info.elementType?.description ?? "no tensor"), and "
                    + "got \(value.elementType)")
        }
        // A model may leave even the number of axes open.
        if info.shape.isEmpty { return }
        func mismatch(_ reason: String) -> ConcordError {
            ConcordError(.shapeMismatch, "the input \(info) got the shape \(value.shape): \(reason)")
        }
        guard value.shape.count == info.shape.count else {
            throw mismatch("it has \(value.shape.count) axes where \(info.shape.count) are expected")
        }
        for (axis, (length, dimension)) in zip(value.shape, info.shape).enumerated() {
            switch dimension {
            case .fixed(let expected):
                guard length == expected else {
                    throw mismatch("axis \(axis) has the length \(length) where \(expected) is expected")
                }
            case .symbol(let name):
                guard !name.isEmpty else { continue }
                let known = lengths[name] ?? (length, info.name)
                guard known.length == length else {
                    throw mismatch("'\(name)' is \(length) here, and \(known.length) in the input '\(known.input)'")
                }
                lengths[name] = known
            }
        }
    }

    private static func unknown(_ kind: String, _ name: String, _ known: [OnnxValueInfo]) -> ConcordError {
        let suggestion = NearestName.suggestion(for: name, among: known.map(\.name)).map { "; did you mean '\($0)'?" }
        let names = known.map(\.name).joined(separator: ", ")
        return ConcordError(
            .invalidArgument, "the model has no \(kind) '\(name)'\(suggestion ?? "") (its \(kind)s: \(names))")
    }
}
