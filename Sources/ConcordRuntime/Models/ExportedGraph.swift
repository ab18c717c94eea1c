import ConcordCore

/// A graph of an artifact folder, open, and checked to take and give what its role says.
struct ExportedGraph: Sendable {
    let role: ArtifactManifest.GraphRole
    let path: String
    let session: OnnxSession

    /// Throws as `OnnxSession.init(path:options:runtime:)`.
    init(
        _ role: ArtifactManifest.GraphRole, path: String, options: OnnxSessionOptions
    ) throws(ConcordError) {
        self.role = role
        self.path = path
        session = try OnnxSession(path: path, options: options)
    }

    /// Throws `.invalidModel` unless the graph takes what is named and nothing else.
    func requireInputs(_ names: [String]) throws(ConcordError) {
        for info in session.inputs where !names.contains(info.name) {
            throw failure("it has the unknown input '\(info.name)'")
        }
    }

    /// The place of an input. Throws `.invalidModel` where it is missing or of another form.
    func input(_ name: String, _ type: OnnxElementType, _ shape: [OnnxDimension]) throws(ConcordError) -> Int {
        try place(name, type, shape, session.inputs, "input")
    }

    /// The place of an output. Throws `.invalidModel` where it is missing or of another form.
    func output(_ name: String, _ type: OnnxElementType, _ shape: [OnnxDimension]) throws(ConcordError) -> Int {
        try place(name, type, shape, session.outputs, "output")
    }

    func hasInput(_ name: String) -> Bool { session.inputs.contains { $0.name == name } }

    func failure(_ problem: String) -> ConcordError {
        ConcordError(
            .invalidModel,
            "\(path) is not a graph `\(role.rawValue)` as this version runs it: \(problem); export the "
                + "model again")
    }

    private func place(
        _ name: String, _ type: OnnxElementType, _ shape: [OnnxDimension], _ all: [OnnxValueInfo], _ kind: String
    ) throws(ConcordError) -> Int {
        guard let index = all.firstIndex(where: { $0.name == name }) else {
            throw failure("it has no \(kind) '\(name)'")
        }
        let info = all[index]
        // Names of axes are the exporter's own, and a graph may leave a length open.
        let isRight =
            info.elementType == type && info.shape.count == shape.count
            && zip(info.shape, shape).allSatisfy { found, expected in
                if case .fixed(let found) = found, case .fixed(let expected) = expected { return found == expected }
                return true
            }
        guard isRight else {
            let lengths = shape.map(\.description).joined(separator: ", ")
            throw failure("its \(kind) is \(info) where \(type)[\(lengths)] is expected")
        }
        return index
    }
}

/// The rows of an output `[rows, width]`, of which the first `count` are wanted.
///
/// - Parameter names: what errors call an item, by its row.
/// - Throws: `.inference` for an output of another shape; `.nonFiniteValue` for a row that contains NaN or infinity.
func embeddingRows(
    _ value: OnnxValue, count: Int, width: Int, name: (Int) -> String
) throws(ConcordError) -> [[Float]] {
    guard value.elementType == .float32, value.shape.count == 2, value.shape[0] >= count, value.shape[1] == width else {
        throw ConcordError(
            .inference, "the model returned embeddings \(value.shape), but \(width) values per item are expected")
    }
    let rows = value.withUnsafeBytes { bytes in
        let values = bytes.bindMemory(to: Float.self)
        return (0..<count).map { Array(values[$0 * width..<($0 + 1) * width]) }
    }
    for (row, values) in rows.enumerated() where !values.allSatisfy(\.isFinite) {
        throw ConcordError(.nonFiniteValue, "the embedding of \(name(row)) contains NaN or infinity; check the input")
    }
    return rows
}
